setInterval(async () => {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    const main = document.querySelector("main");
    for (const opened of main.querySelectorAll("details[open]")) {
      const same = fresh.querySelector("#" + opened.id);
      if (same) same.open = true;
    }
    if (main.innerHTML !== fresh.innerHTML) main.replaceWith(fresh);
  } catch { /* The simulator has stopped: keep what is shown. */ }
}, 2000);
