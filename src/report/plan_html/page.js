"use strict";
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const changes = [...document.querySelectorAll(".change")];
  const boxes = [...form.querySelectorAll("[name=action]")];
  const find = form.elements.text;
  let texts;

  // Texts are gathered when they are first asked for: a plan may have ten thousand changes.
  const text = (place) => {
    texts ??= changes.map((change) => change.textContent.toLowerCase());
    return texts[place];
  };

  const show = () => {
    const actions = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const words = find.value.trim().toLowerCase();
    let shown = 0;
    changes.forEach((change, place) => {
      const fits = (!actions.size || actions.has(change.dataset.action)) && (!words || text(place).includes(words));
      change.hidden = !fits;
      shown += fits;
    });
    form.querySelector("output").textContent = shown < changes.length ? `${shown} of ${changes.length}` : "";
    return [...actions].join(",");
  };

  // What is filtered stands in the address, so that it can be sent to somebody.
  const remember = () => {
    const actions = show();
    const words = find.value.trim();
    const parts = [];
    if (actions) parts.push(`action=${actions}`);
    if (words) parts.push(`text=${encodeURIComponent(words)}`);
    history.replaceState(null, "", `#${parts.join("&")}`);
  };

  const recall = () => {
    const hash = location.hash.slice(1);
    const asked = new URLSearchParams(hash.replaceAll("+", "%2B"));
    const actions = (asked.get("action") ?? "").split(",");
    for (const box of boxes) box.checked = actions.includes(box.value);
    find.value = asked.get("text") ?? "";
    show();
    const change = /^c\d+$/.test(hash) && document.getElementById(hash);
    if (change) {
      change.open = true;
      change.scrollIntoView();
    }
  };

  const fold = (open) => () => {
    for (const change of changes) if (!change.hidden && "open" in change) change.open = open;
  };

  form.hidden = false;
  form.addEventListener("input", remember);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.elements.unfold.addEventListener("click", fold(true));
  form.elements.fold.addEventListener("click", fold(false));
  addEventListener("hashchange", recall);
  addEventListener("beforeprint", fold(true));
  recall();
})();
