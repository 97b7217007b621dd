// What needs a script: reading the token behind a link's "#", showing a problem beside the form that
// was sent (so that a key need not be pasted again), and continuing long work. All else is plain HTML.
"use strict";

const JSON_TYPE = "application/json";

/** Sends a form or JSON; returns the response, which may be a problem. */
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
    // The session has ended. The page at this address says what to do.
    return { detail: "You are signed out. Load the page again to request a new link.", status: 401 };
  }
  const unreadable = { detail: `The server answered ${answer.status}. Please try again in a moment.` };
  const result = await answer.json().catch(() => unreadable);
  return answer.ok || result.detail ? result : unreadable;
}

/** Shows a problem after its field, or at the top of the form. */
function showProblem(form, result) {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-errormessage");
  }
  for (const old of form.querySelectorAll("[data-problem]")) old.remove();
  const alert = document.createElement("p");
  alert.className = "problem";
  alert.id = "problem";
  alert.dataset.problem = "";
  alert.setAttribute("role", "alert");
  alert.textContent = result.detail;
  const field = fieldOf(form, result.field);
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

/** The field of this name, or the first of several. Long work is shown in a section without fields. */
function fieldOf(form, name) {
  const named = name && form.elements?.namedItem(name);
  const field = named instanceof RadioNodeList ? named[0] : named;
  return field instanceof HTMLElement && field.type !== "hidden" ? field : null;
}

/** Sends the form. The browser leaves the page only if there is no problem. */
async function submitForm(event) {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  form.setAttribute("aria-busy", "true");
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  const result = await send(form.getAttribute("action") ?? location.pathname, fields, "application/x-www-form-urlencoded");
  form.removeAttribute("aria-busy");
  for (const button of buttons) button.disabled = false;
  if (result.next) goTo(result.next);
  else showProblem(form, result);
}

/** Loads a page of this site, even if it is the present one. */
function goTo(path) {
  const here = location.pathname + location.search;
  if (path === here) location.reload();
  else location.assign(path);
}

/**
 * Sends a link's token when a person presses the button: programs that open the links of mails consume
 * none. The form names the path.
 */
function openLink(form) {
  const problem = document.querySelector("main > [role=alert]");
  // If another link is pasted into this tab, only the part behind "#" changes and nothing is loaded.
  addEventListener("hashchange", () => {
    problem.hidden = true;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const token = location.hash.slice(1);
    const result = token
      ? await send(form.dataset.path, JSON.stringify({ token }), JSON_TYPE)
      : { detail: "The last part of this address is missing. Open the whole link that you were given." };
    if (result.next) {
      // Keeps the token out of the browser's history.
      location.replace(result.next);
      return;
    }
    problem.hidden = false;
    problem.textContent =
      result.status === 401
        ? "This link has been used, or is too old. Request a new one."
        : result.detail;
  });
}

/** Continues long work until it is done. A reload continues it too. */
async function continueWork(element) {
  const path = element.dataset.progress;
  const bar = element.querySelector("progress");
  const doing = element.querySelector("[data-doing]");
  for (;;) {
    const result = await send(path, "{}", JSON_TYPE);
    if (result.detail) {
      showProblem(element, result);
      return;
    }
    if (bar && result.total) {
      bar.max = result.total;
      bar.value = result.done;
    }
    if (doing) doing.textContent = result.doing ?? `${result.done} of ${result.total}`;
    if (result.next !== path.split("?")[0]) {
      goTo(result.next);
      return;
    }
    // Another request works on it, perhaps in another window.
    if (result.wait) await new Promise((done) => setTimeout(done, 2000));
  }
}

/** Reloads the page for a while, until pending work is done. */
function reloadLater() {
  const key = `reloads ${location.pathname}`;
  const reloads = Number(sessionStorage.getItem(key) ?? 0);
  if (reloads > 60) return;
  sessionStorage.setItem(key, String(reloads + 1));
  setTimeout(() => location.reload(), 3000);
}

const link = document.querySelector("form#open");
if (link) openLink(link);
document.addEventListener("submit", submitForm);
for (const element of document.querySelectorAll("[data-progress]")) continueWork(element);
if (document.querySelector("[data-poll]")) reloadLater();
else sessionStorage.removeItem(`reloads ${location.pathname}`);
