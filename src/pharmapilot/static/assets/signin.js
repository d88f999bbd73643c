const form = document.getElementById("signin");
const refusal = document.getElementById("refusal");
const button = form.querySelector("button");

function refuse(message) {
  refusal.textContent = message;
  refusal.hidden = false;
  form.elements.password.focus();
  form.elements.password.select();
}

async function signIn() {
  const response = await fetch("/api/auth/login", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ email: form.elements.email.value, password: form.elements.password.value }),
    signal: AbortSignal.timeout(15_000),
  });
  if (response.ok) {
    location.assign("/");
  } else if (response.status < 500) {
    refuse("E-mail or password is wrong.");
  } else {
    refuse("The service has a problem. Please try again.");
  }
  return response.ok;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-disabled") === "true") {
    return;
  }
  refusal.hidden = true;
  // aria-disabled rather than disabled: the focus stays where it is.
  button.setAttribute("aria-disabled", "true");
  let leaving = false;
  try {
    leaving = await signIn();
  } catch {
    refuse("The service does not answer. Please try again.");
  } finally {
    if (!leaving) {
      button.removeAttribute("aria-disabled");
    }
  }
});
