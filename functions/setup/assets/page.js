// What needs a script: reading the token behind a link's "#", showing a problem beside the form that
// was sent (so that a key need not be pasted again), continuing long work, and filling a mapping from a
// sample. All else is plain HTML.
"use strict";

const JSON_TYPE = "application/json";

/**
 * Sends a form or JSON; returns the response, which may be a problem. A form with a file has its own
 * content type, which the browser adds.
 */
async function send(path, body, contentType) {
  let answer;
  try {
    const headers = { accept: JSON_TYPE };
    if (contentType) headers["content-type"] = contentType;
    answer = await fetch(path, { method: "POST", body, headers });
  } catch {
    return { detail: "The server cannot be reached. Check your connection and try again." };
  }
  if (answer.status === 401) {
    const detail =
      "You are signed out, so nothing was saved. What you typed is still here: open a new link in another tab of this browser, then press the button again.";
    return { detail, status: 401 };
  }
  const unreadable = { detail: `The server answered ${answer.status}. Please try again in a moment.` };
  const result = await answer.json().catch(() => unreadable);
  return answer.ok || result.detail ? result : unreadable;
}

/** Shows a problem after its field, or at the top of the form. */
function showProblem(form, result) {
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    const error = field.getAttribute("aria-errormessage");
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-errormessage");
    const others = describedBy(field).filter((id) => id !== error);
    if (others.length > 0) field.setAttribute("aria-describedby", others.join(" "));
    else field.removeAttribute("aria-describedby");
  }
  for (const old of form.querySelectorAll("[data-problem]")) old.remove();
  // What was done before is no answer to what was refused now.
  for (const done of document.querySelectorAll("p.done[role=status]")) done.remove();
  const alert = document.createElement("p");
  alert.className = "problem";
  alert.id = "problem";
  alert.dataset.problem = "";
  alert.setAttribute("role", "alert");
  alert.textContent = result.detail;
  if (result.status === 401) {
    const link = linkRequest();
    // Beside the form, so that what was typed stays.
    link.target = "_blank";
    alert.append(" ", link);
  }
  const field = fieldOf(form, result.field);
  if (field) {
    field.closest("details")?.setAttribute("open", "");
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-errormessage", alert.id);
    // Most screen readers do not read aria-errormessage.
    field.setAttribute("aria-describedby", [alert.id, ...describedBy(field)].join(" "));
    (field.closest("label") ?? field).after(alert);
    field.focus({ preventScroll: true });
  } else {
    form.prepend(alert);
    focusMessage(alert);
  }
  alert.scrollIntoView({ block: "center" });
}

/** The ids of the texts that describe a field. */
function describedBy(field) {
  return (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
}

/** Moves the focus to a message, so that it is read and the next key goes on from there. */
function focusMessage(message) {
  message.tabIndex = -1;
  message.focus({ preventScroll: true });
}

/**
 * Moves the focus to what a new page says about the change before it: to the field with an error, the
 * error, or the message that it was saved.
 */
function focusOutcome(part) {
  const field = part.querySelector("[aria-invalid=true]");
  const message = part.querySelector("[role=alert]:not([hidden]), p.done[role=status]");
  if (field) showField(field);
  else if (message) focusMessage(message);
}

/** Moves the focus to a wrong field, in the middle of the window, so that the problem is seen too. */
function showField(field) {
  field.closest("details")?.setAttribute("open", "");
  field.focus({ preventScroll: true });
  field.scrollIntoView({ block: "center" });
}

/** The name in the browser's storage of the partner whose page was shown last. */
const LAST_PARTNER = "partner";

/** The partner of the page. The pages of a link have none: then that of the last page here. */
function knownPartner() {
  const partner = location.pathname.match(/^\/setup\/partners\/([^/]+)\//)?.[1];
  try {
    if (!partner) return localStorage.getItem(LAST_PARTNER);
    localStorage.setItem(LAST_PARTNER, partner);
  } catch {
    // The browser stores nothing.
  }
  return partner;
}

/** A link to the page where a new link is requested. */
function linkRequest() {
  const link = document.createElement("a");
  const partner = knownPartner();
  link.href = partner ? `/setup/link?partner=${encodeURIComponent(partner)}` : "/setup/link";
  link.textContent = "Request a new link";
  return link;
}

/** The field of this name, or the first of several. Long work is shown in a section without fields. */
function fieldOf(form, name) {
  // The boxes of a list have "[]" behind its name.
  const named = name && (form.elements?.namedItem(name) ?? form.elements?.namedItem(`${name}[]`));
  const field = named instanceof RadioNodeList ? named[0] : named;
  return field instanceof HTMLElement && field.type !== "hidden" ? field : null;
}

/** Where the form goes. A button can have an address of its own. */
function actionOf(form, submitter) {
  return submitter?.getAttribute("formaction") ?? form.getAttribute("action");
}

/** Sends the form. The browser leaves the page only if there is no problem. */
async function submitForm(event) {
  const form = event.target;
  const renders = "render" in form.dataset || "render" in (event.submitter?.dataset ?? {});
  if (form.method !== "post" && !renders) return;
  event.preventDefault();
  if (renders) {
    await renderForm(form, event.submitter);
    return;
  }
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  form.setAttribute("aria-busy", "true");
  const fields = new FormData(form, event.submitter);
  const path = actionOf(form, event.submitter) ?? location.pathname;
  const result =
    form.enctype === "multipart/form-data"
      ? await send(path, fields)
      : await send(path, new URLSearchParams(fields), "application/x-www-form-urlencoded");
  form.removeAttribute("aria-busy");
  for (const button of buttons) button.disabled = false;
  if (result.next) goTo(result.next);
  else showProblem(form, result);
}

/** Sends a form whose answer is a page, and shows that page in place of the present one. */
async function renderForm(form, submitter) {
  const buttons = [...form.querySelectorAll("button:enabled")];
  const fields = new URLSearchParams(new FormData(form, submitter));
  for (const button of buttons) button.disabled = true;
  form.setAttribute("aria-busy", "true");
  const doing = form.querySelector("[data-doing]");
  if (doing) doing.textContent = doing.dataset.doing;
  const action = actionOf(form, submitter);
  const headers = { accept: "text/html" };
  let answer;
  let page;
  try {
    answer =
      form.method === "post"
        ? await fetch(action, { method: "POST", body: fields, headers })
        : await fetch(`${action}?${fields}`, { headers });
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    page = document.implementation.createHTMLDocument();
  }
  form.removeAttribute("aria-busy");
  for (const button of buttons) button.disabled = false;
  if (answer?.redirected) {
    location.assign(answer.url);
    return;
  }
  const main = page.querySelector("main:not(.alone, [data-problem-page])");
  if (!main) {
    const alert = page.querySelector("[role=alert]");
    const detail = alert?.textContent ?? "The server cannot be reached. Check your connection and try again.";
    showProblem(form, { detail, field: alert?.dataset.field });
    return;
  }
  const shown = document.adoptNode(main);
  document.querySelector("main").replaceWith(shown);
  enhance(shown);
  const field = shown.querySelector("[aria-invalid=true]");
  if (field) {
    showField(field);
    return;
  }
  const target = shown.querySelector("[role=alert]") ?? shown.querySelector("div[role=status], #result");
  // A page that loads a part by itself must not take the focus from where a person is meanwhile.
  if (target && (submitter || document.activeElement === document.body)) focusMessage(target);
  target?.scrollIntoView({ block: "start" });
}

/** Times in the reader's zone. The zone is named, and the time in UTC is the element's title. */
const LOCAL_TIME = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

function showLocalTime(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  time.title = time.textContent;
  time.textContent = LOCAL_TIME.format(at);
}

/** Adds what needs a script to a part of the page. */
function enhance(part) {
  // First: a refreshed section is compared with what the server sent.
  for (const section of part.querySelectorAll("[data-refresh]")) refresh(section);
  for (const time of part.querySelectorAll("time[datetime]")) showLocalTime(time);
  for (const text of part.querySelectorAll("[data-copy]")) addCopyButton(text);
  for (const tree of part.querySelectorAll("[data-tree]")) offerPlaces(tree);
  for (const row of part.querySelectorAll("tr[data-types]")) narrowTypes(row);
  // What takes long is loaded after the page.
  for (const form of part.querySelectorAll("form[data-load]")) form.requestSubmit();
}

function addCopyButton(text) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = `Copy ${text.dataset.copy}`;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected: copy it with the keyboard";
    }
  });
  text.after(button);
}

/** Makes each value of a sample a button that fills the field that had the focus last. */
function offerPlaces(tree) {
  const form = tree.closest("form");
  const hint = tree.querySelector("[data-hint]");
  hint.textContent = "Choose a field, then press the value that belongs in it.";
  let field = null;
  form.addEventListener("focusin", (event) => {
    const row = event.target.closest(".pair");
    const focused = row?.querySelector("[data-place-field]") ?? event.target;
    if ("placeField" in focused.dataset) field = focused;
  });
  for (const value of tree.querySelectorAll("[data-place]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain place";
    button.textContent = value.textContent || "(empty)";
    button.addEventListener("click", () => {
      if (!field) {
        hint.textContent = "Choose a field first, then press the value.";
        return;
      }
      fillPlace(field, value.dataset.place);
      const name = field.getAttribute("aria-label") ?? field.labels[0].textContent;
      hint.textContent = `${name}: ${field.value}. Choose the next field.`;
    });
    value.replaceWith(button);
  }
}

function fillPlace(field, place) {
  const from = field.closest(".pair")?.querySelector("select");
  if (from?.value === "text") {
    field.value += `{${place}}`;
    return;
  }
  if (from) from.value = "at";
  field.value = place;
}

/** Offers only the subtypes and items that belong to the chosen type. */
function narrowTypes(row) {
  const [type, subtype, item] = row.querySelectorAll("select");
  const narrow = () => {
    if (subtype) limitOptions(subtype, type.value);
    if (item) limitOptions(item, `${type.value}/${subtype.value}`);
  };
  row.addEventListener("change", narrow);
  narrow();
}

function limitOptions(select, parent) {
  for (const option of select.options) {
    if (!("below" in option.dataset)) continue;
    option.disabled = !option.dataset.below.split(" ").includes(parent);
    option.hidden = option.disabled;
    if (option.disabled && option.selected) select.value = "";
  }
}

/** Shows what is new in a section, for ten minutes. */
function refresh(section) {
  let shown = section;
  let sent = section.innerHTML;
  let left = 120;
  const timer = setInterval(async () => {
    if (!shown.isConnected || left === 0) {
      clearInterval(timer);
      return;
    }
    if (document.hidden) return;
    left -= 1;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById(shown.id);
    if (!found || found.innerHTML === sent || shown.contains(document.activeElement)) return;
    sent = found.innerHTML;
    const next = document.adoptNode(found);
    shown.replaceWith(next);
    shown = next;
    enhance(shown);
  }, 5000);
}

/** Loads a page of this site, even if it is the present one. */
function goTo(path) {
  const here = location.pathname + location.search;
  const next = new URL(path, location.href);
  if (next.pathname + next.search === here) location.reload();
  else location.assign(next);
}

/**
 * Sends a link's token when a person presses the button: programs that open the links of mails consume
 * none. The form names the path.
 */
function openLink(form) {
  const problem = document.querySelector("main > [role=alert]");
  const offer = [form, form.previousElementSibling];
  // If another link is pasted into this tab, only the part behind "#" changes and nothing is loaded.
  addEventListener("hashchange", () => {
    problem.hidden = true;
    for (const part of offer) part.hidden = false;
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
    problem.textContent = result.detail;
    if (result.status === 401) {
      problem.textContent = "This link has been used, or is too old.";
      problem.append(" ", linkRequest());
      for (const part of offer) part.hidden = true;
      focusMessage(problem);
    }
  });
}

/** Continues long work until it is done. A reload continues it too. */
async function continueWork(element) {
  const path = element.dataset.progress;
  const bar = element.querySelector("progress");
  const doing = element.querySelector("[data-doing]");
  for (;;) {
    const result = await send(path, element.dataset.request ?? "{}", JSON_TYPE);
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

/** Folds the menu on a screen that has no room for it beside the page. */
function foldMenu(menu) {
  const isNarrow = matchMedia("(width < 64rem)");
  const fold = () => {
    menu.open = !isNarrow.matches;
  };
  isNarrow.addEventListener("change", fold);
  fold();
}

knownPartner();
const menu = document.querySelector("[data-menu]");
if (menu) foldMenu(menu);
const link = document.querySelector("form#open");
if (link) openLink(link);
document.addEventListener("submit", submitForm);
enhance(document);
if (!location.hash) focusOutcome(document.querySelector("main"));
for (const element of document.querySelectorAll("[data-progress]")) continueWork(element);
if (document.querySelector("[data-poll]")) reloadLater();
else sessionStorage.removeItem(`reloads ${location.pathname}`);
