// A terminal on a server's serial console: what one console's page and the page of several have in common.
// xterm.js writes styles into the page, which the page's policy refuses: what it makes here becomes style sheets and
// properties set by script, which the policy allows.
const plain = document.createElement.bind(document);
function styles() {
  const element = plain("span"), sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperty(element, "textContent", { set: text => sheet.replaceSync(text) });
  return element;
}
document.createElement = (tag, options) => {
  if (tag === "style") return styles();
  const element = plain(tag, options);
  if (tag === "span") element.setAttribute = (name, value) => {
    if (name === "style") element.style.cssText = value;
    else Element.prototype.setAttribute.call(element, name, value);
  };
  return element;
};

// What serial consoles take a terminal to be. On a phone the letters are smaller.
const COLUMNS = 80, ROWS = 25, WIDE = 0.62, PASTE = 1024;

// A console's token is made by who asks for it with the page's own, never by a link that leads here.
export async function ask(path, say, ended) {
  const answer = await fetch(path, { method: "POST", headers: { "X-CSRF-Token": document.body.dataset.csrf } });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    say(Object.values(told)[0]?.message ?? ended);
    throw new Error(ended);
  }
  const where = new URL(told.socket, location.href);
  where.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return where;
}

export async function serial(place, xterm, path, say, words) {
  const { Terminal } = await import(xterm);
  const size = Math.max(7, Math.min(15, Math.floor(place.clientWidth / COLUMNS / WIDE)));
  const terminal = new Terminal({
    cols: COLUMNS, rows: ROWS, fontSize: size, scrollback: 5000,
    fontFamily: "ui-monospace, Menlo, Consolas, monospace", theme: { background: "#0b0f0d", foreground: "#e6ece8" },
  });
  terminal.open(place);
  terminal.focus();
  const socket = new WebSocket(await ask(path, say, words.closed), "binary"), letters = new TextEncoder();
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => say(words.open));
  socket.addEventListener("message", message => terminal.write(new Uint8Array(message.data)));
  socket.addEventListener("close", () => say(words.closed));
  terminal.onData(text => {
    const bytes = letters.encode(text);
    for (let at = 0; at < bytes.length && socket.readyState === WebSocket.OPEN; at += PASTE) socket.send(bytes.slice(at, at + PASTE));
  });
  return { focus: () => terminal.focus(), close: () => { socket.close(); terminal.dispose(); } };
}
