// Audits one page in a tab of a browser that already runs, so that the page is seen signed in.
//
// Standard input: {lighthouse, port, tab, url, formFactor, waitForFcpMs, waitForLoadMs, headers, out}.
// The result goes to the file `out`: on a pipe it can be lost when the process ends. Exit 0: there is a
// result, perhaps with a runtimeError; exit 1: there is none, and standard error says why.
import {readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const task = JSON.parse(readFileSync(0, 'utf8'));
const require = createRequire(join(task.lighthouse, 'package.json'));
const load = async name => import(pathToFileURL(require.resolve(name)).href);

async function main() {
  const {default: lighthouse, desktopConfig} = await import(
    pathToFileURL(join(task.lighthouse, 'core', 'index.js')).href);
  const {default: puppeteer} = await load('puppeteer-core');
  const browser = await puppeteer.connect({
    browserURL: `http://127.0.0.1:${task.port}`,
    defaultViewport: null,
  });
  const target = browser.targets().find(it => it.type() === 'page' && it.url() === task.tab);
  if (!target) throw new Error('the tab to audit is not in the browser');
  const flags = {
    port: task.port,
    output: 'json',
    locale: 'en-US',
    logLevel: 'silent',
    onlyCategories: ['performance', 'accessibility'],
    maxWaitForFcp: task.waitForFcpMs,
    maxWaitForLoad: task.waitForLoadMs,
    extraHeaders: task.headers,
  };
  const config = task.formFactor === 'desktop' ? desktopConfig : undefined;
  const result = await lighthouse(task.url, flags, config, await target.page());
  if (!result) throw new Error('Lighthouse returned no result');
  writeFileSync(task.out, JSON.stringify(result.lhr));
}

main().then(
  // Lighthouse leaves handles open that would hold the process for seconds.
  () => process.exit(0),
  error => {
    process.stderr.write(`${error?.code ?? error?.name ?? 'Error'}: ${error?.message ?? error}\n`, () => process.exit(1));
  },
);
