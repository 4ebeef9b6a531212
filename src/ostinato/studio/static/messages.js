/** What the page tells, where it can be seen and where a screen reader hears it. */

const SECONDS = 6; // an error stays until it is closed or another message comes

const part = (id) => document.getElementById(id);
let timer = null;

/** For the ears alone: what can be seen anyway. */
export function say(sentence) {
  part("status").textContent = sentence;
}

/** For everyone; `onundo` adds a button that takes it back. */
export function tell(sentence, { onundo = null } = {}) {
  show(sentence, onundo);
  say(sentence);
  timer = setTimeout(hide, SECONDS * 1000);
}

/** What went wrong. */
export function complain(sentence) {
  // A file keeps its name.
  const whole = /^\S+\.\S/.test(sentence) ? sentence : sentence[0].toUpperCase() + sentence.slice(1);
  show(/[.?!]$/.test(whole) ? whole : `${whole}.`, null, "is-error");
  part("alert").textContent = part("message-text").textContent;
}

export function hide() {
  clearTimeout(timer);
  part("message").hidden = true;
  part("alert").textContent = "";
}

function show(sentence, onundo, kind = "") {
  clearTimeout(timer);
  part("alert").textContent = "";
  part("message").className = `message ${kind}`;
  part("message-text").textContent = sentence;
  part("message-undo").hidden = !onundo;
  part("message-undo").onclick = () => {
    hide();
    onundo?.();
  };
  part("message-close").onclick = hide;
  part("message").hidden = false;
}

/** Words as they begin a sentence. */
export function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}
