// Forms that need a security key: sent, they ask the browser for it first. What goes wrong is said in a sentence.

const SENTENCES = {
  NotAllowedError: "No key was used. Try again, and touch the key when the browser asks for it.",
  InvalidStateError: "This key is one of yours already. Use another one.",
  SecurityError: "Browsers allow security keys only on named hosts with https, or on localhost. Open Parley under its name.",
};

function sentence(error) {
  return SENTENCES[error.name] ?? "This browser cannot use security keys here. Try another one, or use an authenticator app.";
}

for (const form of document.querySelectorAll("[data-security-key]")) {
  const problem = form.querySelector("[data-problem]");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    button.setAttribute("aria-disabled", "true");
    try {
      const credential = await window.webauthnJSON[form.dataset.securityKey](JSON.parse(form.dataset.options));
      form.querySelector("[name=credential]").value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      problem.textContent = sentence(error);
      problem.hidden = false;
      button.removeAttribute("aria-disabled");
    }
  });
}
