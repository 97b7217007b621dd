// What the page cannot do without a script: read the token behind a link's "#", say what is wrong beside the form that was sent (so that a
// key need not be pasted again), and go on with long work by itself. Everything else is plain HTML.
"use strict";

const JSON_TYPE = "application/json";

/** Sends a form or JSON; answers what the server says, a problem included. */
async function send(path, body, contentType) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      body,
      headers: { accept: JSON_TYPE, "content-type": contentType },
    });
  } catch {
    return { detail: "The server cannot be reached. Check your connection and try again." };
  }
  if (answer.status === 401) {
    // The session is over: the page behind this address says what to do.
    return { detail: "You are signed out. Load the page again to see how to come back.", status: 401 };
  }
  const unreadable = { detail: `The server answered ${answer.status}. Please try again in a moment.` };
  const said = await answer.json().catch(() => unreadable);
  return answer.ok || said.detail ? said : unreadable;
}

/** Shows what is wrong: behind the field that it is about, or on top of the form. */
function tell(form, said) {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-errormessage");
  }
  for (const old of form.querySelectorAll("[data-said]")) old.remove();
  const alert = document.createElement("p");
  alert.className = "problem";
  alert.id = "said";
  alert.dataset.said = "";
  alert.setAttribute("role", "alert");
  alert.textContent = said.detail;
  const field = fieldOf(form, said.field);
  if (field) {
    field.closest("details")?.setAttribute("open", "");
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-errormessage", alert.id);
    (field.closest("label") ?? field).after(alert);
    field.focus({ preventScroll: true });
  } else {
    form.prepend(alert);
  }
  alert.scrollIntoView({ block: "center" });
}

/** The field of this name; the first one where several have it. Long work is told of in a section, which has no fields. */
function fieldOf(form, name) {
  const named = name && form.elements?.namedItem(name);
  const field = named instanceof RadioNodeList ? named[0] : named;
  return field instanceof HTMLElement && field.type !== "hidden" ? field : null;
}

/** Sends the form without leaving the page, unless all is well. */
async function submitted(event) {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  form.setAttribute("aria-busy", "true");
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  const said = await send(form.getAttribute("action") ?? location.pathname, fields, "application/x-www-form-urlencoded");
  form.removeAttribute("aria-busy");
  for (const button of buttons) button.disabled = false;
  if (said.next) goTo(said.next);
  else tell(form, said);
}

/** Shows a page of this site anew, even if it is the one that is shown. */
function goTo(path) {
  const here = location.pathname + location.search;
  if (path === here) location.reload();
  else location.assign(path);
}

/**
 * A link's token is sent only when a person presses the button: what opens links by itself uses none up. The form names the path that
 * takes the token.
 */
function openLink(form) {
  const problem = document.querySelector("main > [role=alert]");
  // Another link that is pasted into this tab changes nothing but the part behind "#", so the page is not loaded again.
  addEventListener("hashchange", () => {
    problem.hidden = true;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const token = location.hash.slice(1);
    const said = token
      ? await send(form.dataset.path, JSON.stringify({ token }), JSON_TYPE)
      : { detail: "This address has lost its last part. Open the whole link that you were given." };
    if (said.next) {
      // Without the token in the browser's history.
      location.replace(said.next);
      return;
    }
    problem.hidden = false;
    problem.textContent =
      said.status === 401
        ? "This link has been used, or is too old. Ask for a fresh one."
        : said.detail;
  });
}

/** Goes on with long work until it is done; a reload goes on where it stands. */
async function goOn(element) {
  const path = element.dataset.progress;
  const bar = element.querySelector("progress");
  const doing = element.querySelector("[data-doing]");
  for (;;) {
    const said = await send(path, "{}", JSON_TYPE);
    if (said.detail) {
      tell(element, said);
      return;
    }
    if (bar && said.total) {
      bar.max = said.total;
      bar.value = said.done;
    }
    if (doing) doing.textContent = said.doing ?? `${said.done} of ${said.total}`;
    if (said.next !== path.split("?")[0]) {
      goTo(said.next);
      return;
    }
    // Somebody else is at it, perhaps in another window.
    if (said.wait) await new Promise((done) => setTimeout(done, 2000));
  }
}

/** Looks again for what is made elsewhere, for a while. */
function lookAgain() {
  const key = `looked ${location.pathname}`;
  const looked = Number(sessionStorage.getItem(key) ?? 0);
  if (looked > 60) return;
  sessionStorage.setItem(key, String(looked + 1));
  setTimeout(() => location.reload(), 3000);
}

const link = document.querySelector("form#open");
if (link) openLink(link);
document.addEventListener("submit", submitted);
for (const element of document.querySelectorAll("[data-progress]")) goOn(element);
if (document.querySelector("[data-poll]")) lookAgain();
else sessionStorage.removeItem(`looked ${location.pathname}`);
