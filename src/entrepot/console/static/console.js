"use strict";
// What pages do beside showing themselves: copy, close menus, and look whether something changed.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-next]");
  if (!button) return;
  const text = button.dataset.copy ?? button.nextElementSibling.textContent;
  await navigator.clipboard.writeText(text);
  const before = button.firstChild.textContent;
  button.firstChild.textContent = "✓";
  setTimeout(() => { button.firstChild.textContent = before; }, 1200);
});

function offerCopies(root) {
  // Without a clipboard (plain http to another machine) the button would do nothing.
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy], [data-copy-next]")) button.hidden = false;
}
offerCopies(document);

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Parts marked data-live are fetched again while the page is looked at, and replaced when they changed; never while
// something in them is in use.
const PERIOD = 3000;
async function look() {
  const parts = [...document.querySelectorAll("[data-live]")];
  if (!parts.length) return;
  if (!document.hidden) {
    try {
      const reply = await fetch(location.href, { headers: { "x-live": "1" }, redirect: "error" });
      if (reply.ok) renew(parts, new DOMParser().parseFromString(await reply.text(), "text/html"));
    } catch {
      // The hub is away or the session has ended: the page stays as it was, and the next look may do better.
    }
  }
  setTimeout(look, PERIOD);
}
function renew(parts, fresh) {
  for (const part of parts) {
    const next = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    const inUse = part.contains(document.activeElement) || part.querySelector("details[open]");
    if (!next || inUse || String(getSelection())) continue;
    offerCopies(next);
    if (next.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(next));
  }
}
setTimeout(look, PERIOD);

// A template goes to a file, or comes from one, without the hub.
for (const button of document.querySelectorAll("[data-save]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const text = document.getElementById(button.dataset.save).value;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = button.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}
for (const input of document.querySelectorAll("[data-into]")) {
  input.closest("[data-open]").hidden = false;
  input.addEventListener("change", async () => {
    if (input.files.length) document.getElementById(input.dataset.into).value = await input.files[0].text();
  });
}
