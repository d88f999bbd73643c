// Help for browsers of before 2020, which those with bundleOptimization no longer load. No page uses a name of
// this file by itself, and a browser of today has them all, so that every line below is carried for nothing.

function lacking(place, name, make) {
  if (!(name in place)) {
    Object.defineProperty(place, name, { value: make, writable: true, configurable: true });
  }
}

lacking(Array.prototype, "at", function at(index) {
  const whole = Math.trunc(index) || 0;
  return this[whole < 0 ? this.length + whole : whole];
});

lacking(Array.prototype, "flat", function flat(depth = 1) {
  const result = [];
  for (const entry of this) {
    if (Array.isArray(entry) && depth >= 1) {
      result.push(...entry.flat(depth - 1));
    } else {
      result.push(entry);
    }
  }
  return result;
});

lacking(Array.prototype, "flatMap", function flatMap(change, self) {
  return this.map(change, self).flat();
});

lacking(Array.prototype, "includes", function includes(wanted, from = 0) {
  for (let index = from < 0 ? Math.max(0, this.length + from) : from; index < this.length; index += 1) {
    if (this[index] === wanted || (Number.isNaN(wanted) && Number.isNaN(this[index]))) {
      return true;
    }
  }
  return false;
});

lacking(Array.prototype, "findLast", function findLast(fits, self) {
  for (let index = this.length - 1; index >= 0; index -= 1) {
    if (fits.call(self, this[index], index, this)) {
      return this[index];
    }
  }
  return undefined;
});

lacking(Array, "from", function from(source, change) {
  const result = [];
  const length = source.length ?? 0;
  for (let index = 0; index < length; index += 1) {
    result.push(change ? change(source[index], index) : source[index]);
  }
  return result;
});

lacking(Object, "entries", function entries(thing) {
  return Object.keys(thing).map((name) => [name, thing[name]]);
});

lacking(Object, "values", function values(thing) {
  return Object.keys(thing).map((name) => thing[name]);
});

lacking(Object, "fromEntries", function fromEntries(pairs) {
  const result = {};
  for (const [name, value] of pairs) {
    result[name] = value;
  }
  return result;
});

lacking(Object, "hasOwn", function hasOwn(thing, name) {
  return Object.prototype.hasOwnProperty.call(thing, name);
});

lacking(String.prototype, "padStart", function padStart(length, filler = " ") {
  const missing = length - this.length;
  return missing > 0 ? filler.repeat(Math.ceil(missing / filler.length)).slice(0, missing) + this : String(this);
});

lacking(String.prototype, "padEnd", function padEnd(length, filler = " ") {
  const missing = length - this.length;
  return missing > 0 ? this + filler.repeat(Math.ceil(missing / filler.length)).slice(0, missing) : String(this);
});

lacking(String.prototype, "trimStart", function trimStart() {
  return this.replace(/^\s+/, "");
});

lacking(String.prototype, "trimEnd", function trimEnd() {
  return this.replace(/\s+$/, "");
});

lacking(String.prototype, "replaceAll", function replaceAll(wanted, replacement) {
  return this.split(wanted).join(replacement);
});

lacking(String.prototype, "matchAll", function* matchAll(pattern) {
  const search = new RegExp(pattern.source, pattern.flags);
  for (let found = search.exec(this); found; found = search.exec(this)) {
    yield found;
    if (found[0] === "") {
      search.lastIndex += 1;
    }
  }
});

lacking(Number, "isInteger", function isInteger(value) {
  return typeof value === "number" && Number.isFinite(value) && Math.floor(value) === value;
});

lacking(Promise, "allSettled", function allSettled(promises) {
  const fulfilled = (value) => ({ status: "fulfilled", value });
  const rejected = (reason) => ({ status: "rejected", reason });
  return Promise.all([...promises].map((promise) => Promise.resolve(promise).then(fulfilled, rejected)));
});

lacking(Promise.prototype, "finally", function lastly(act) {
  return this.then(
    (value) => Promise.resolve(act()).then(() => value),
    (reason) =>
      Promise.resolve(act()).then(() => {
        throw reason;
      }),
  );
});

lacking(Element.prototype, "replaceChildren", function replaceChildren(...children) {
  while (this.lastChild) {
    this.removeChild(this.lastChild);
  }
  this.append(...children);
});

lacking(Element.prototype, "closest", function closest(selector) {
  for (let node = this; node; node = node.parentElement) {
    if (node.matches(selector)) {
      return node;
    }
  }
  return null;
});

lacking(Element.prototype, "toggleAttribute", function toggleAttribute(name, force) {
  const wanted = force ?? !this.hasAttribute(name);
  if (wanted) {
    this.setAttribute(name, "");
  } else {
    this.removeAttribute(name);
  }
  return wanted;
});

lacking(AbortSignal, "timeout", function timeout(milliseconds) {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new DOMException("The time is up.", "TimeoutError")), milliseconds);
  return controller.signal;
});

lacking(globalThis, "queueMicrotask", function queueMicrotask(act) {
  Promise.resolve().then(act);
});

lacking(globalThis, "structuredClone", function structuredClone(value) {
  return JSON.parse(JSON.stringify(value));
});
