"use strict";
// The explorer's form answers in place; samples and signature follow while it is filled. Without this script the same
// buttons send the same form and the whole page comes back.

const form = document.getElementById("call");
let round = 0;

async function submit(what, parts) {
  const mine = ++round;
  const body = new URLSearchParams(new FormData(form));
  body.set("do", what);
  const reply = await fetch(location.href, { method: "POST", body, redirect: "manual" });
  if (reply.type === "opaqueredirect") { location.reload(); return; }
  const text = await reply.text();
  if (mine !== round && what === "preview") return;
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const open = [...document.querySelectorAll("details[data-key][open]")].map((one) => one.dataset.key);
  for (const id of parts) {
    const next = fresh.getElementById(id);
    if (next) document.getElementById(id).replaceWith(document.adoptNode(next));
  }
  const fault = fresh.querySelector("main > .note.bad");
  document.querySelector("main > .note.bad")?.remove();
  if (fault) form.before(document.adoptNode(fault));
  for (const one of document.querySelectorAll("details[data-key]")) one.open = open.includes(one.dataset.key);
  offerCopies(document);
  offerSigning();
}

let waiting;
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => submit("preview", ["preview"]), 250);
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  const what = event.submitter?.value ?? "send";
  if (what === "preview") return;
  const button = event.submitter;
  if (button) button.disabled = true;
  form.classList.add("busy");
  try {
    if (what === "send") {
      await submit(what, ["answer", "preview"]);
      document.getElementById("answer").focus();
    } else {
      await submit(what, ["fields", "preview"]);
      const list = what.slice(what.indexOf(":") + 1).replace(/\.\d+$/, "");
      const rows = document.querySelectorAll(`[aria-labelledby="l-${CSS.escape(list)}"] input`);
      rows[rows.length - 1]?.focus();
    }
  } finally {
    form.classList.remove("busy");
    if (button) button.disabled = false;
  }
});

// The real signature, for who has the key at hand: it is computed here, and the key has no name, so no form sends it.
function offerSigning() {
  const place = document.getElementById("local");
  if (!place || !crypto.subtle) return;
  place.hidden = false;
  document.getElementById("private").addEventListener("input", async (event) => {
    const text = document.getElementById("canonical").textContent + event.target.value;
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
    const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    document.getElementById("signed").textContent = event.target.value ? hex : "";
  });
}
offerSigning();
