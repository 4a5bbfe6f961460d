// Several consoles in one page: each has a tab, and one that is not seen keeps its connection.
const words = document.getElementById("consoles").dataset, list = document.getElementById("console-tabs"), panels = document.getElementById("console-panels");
const { ask, serial } = await import(words.terminal);
const MOST = 12, key = "tane-consoles-" + document.body.dataset.user, open = [];

function button(text, work, kind = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  made.addEventListener("click", work);
  return made;
}
function remember() {
  try { sessionStorage.setItem(key, JSON.stringify(open.map(({ how, id, name }) => ({ how, id, name })))); } catch { /* full: a page that is loaded anew has none */ }
}
function show(one, focus = true) {
  for (const each of open) {
    const seen = each === one;
    each.panel.hidden = !seen;
    each.tab.setAttribute("aria-selected", String(seen));
    each.tab.tabIndex = seen ? 0 : -1;
  }
  if (focus) one.console?.focus();
}
function close(one) {
  const place = open.indexOf(one);
  one.shut = true;
  one.console?.close();
  one.panel.remove();
  one.tab.remove();
  open.splice(place, 1);
  remember();
  const next = open[Math.min(place, open.length - 1)];
  if (next) { show(next, false); next.tab.focus(); } else document.getElementById("console-server").focus();
}

// The screen, by noVNC's own library, which the cloud serves.
async function screen(place, path, say, bar) {
  const { default: RFB } = await import(words.novnc).catch(() => { say(words.missing); throw new Error(words.missing); });
  const rfb = new RFB(place, (await ask(path, say, words.closed)).href, { wsProtocols: ["binary"] });
  rfb.scaleViewport = true;
  rfb.addEventListener("connect", () => say(words.seen));
  rfb.addEventListener("disconnect", () => say(words.closed));
  rfb.addEventListener("clipboard", event => { copied.value = event.detail.text; });
  const copied = document.createElement("textarea");
  copied.rows = 1;
  copied.setAttribute("aria-label", words.clipboard);
  copied.placeholder = words.clipboard;
  const scale = button(words.scale, () => {
    rfb.scaleViewport = !rfb.scaleViewport;
    scale.setAttribute("aria-pressed", String(rfb.scaleViewport));
  });
  scale.setAttribute("aria-pressed", "true");
  bar.append(button("Ctrl+Alt+Del", () => rfb.sendCtrlAltDel()), scale, copied, button(words.paste, () => { rfb.clipboardPasteFrom(copied.value); rfb.focus(); }));
  return { focus: () => rfb.focus(), close: () => rfb.disconnect() };
}

async function add(how, id, name) {
  const had = open.find(one => one.how === how && one.id === id);
  if (had) { show(had); return; }
  if (open.length >= MOST) { document.getElementById("console-said").textContent = words.most; return; }
  const number = `console-${how}-${id}`, one = { how, id, name, console: null, shut: false };
  one.tab = button(`${name} · ${how === "vnc" ? words.vnc : words.serial}`, () => show(one));
  one.tab.setAttribute("role", "tab");
  one.tab.id = `tab-${number}`;
  one.tab.setAttribute("aria-controls", number);
  one.panel = document.createElement("section");
  one.panel.id = number;
  one.panel.setAttribute("role", "tabpanel");
  one.panel.setAttribute("aria-labelledby", one.tab.id);
  const said = document.createElement("p"), bar = document.createElement("div"), place = document.createElement("div");
  said.className = "help";
  said.setAttribute("role", "status");
  said.textContent = words.opening;
  const say = text => { said.textContent = text; one.tab.title = text; };
  bar.className = "console-bar";
  async function connect() {
    one.console?.close();
    place.replaceChildren();
    const again = button(words.again, connect);
    again.disabled = true;
    bar.replaceChildren(again, button(words.close, () => close(one)));
    one.console = null;
    const path = `/dashboard/servers/${encodeURIComponent(id)}/${how}`;
    try { one.console = await (how === "vnc" ? screen(place, path, say, bar) : serial(place, words.xterm, path, say, { open: words.typed, closed: words.closed })); } catch (error) { if (said.textContent === words.opening) say(words.closed); console.debug(error); }
    again.disabled = false;
    // It was closed while it connected: nobody sees it any more.
    if (one.shut) one.console?.close();
  }
  place.className = "console" + (how === "vnc" ? " screen" : "");
  one.panel.append(said, bar, place);
  list.append(one.tab);
  panels.append(one.panel);
  open.push(one);
  remember();
  show(one, false);
  await connect();
}

list.addEventListener("keydown", event => {
  const at = open.findIndex(one => one.tab === document.activeElement), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const to = event.key === "Home" ? 0 : event.key === "End" ? open.length - 1 : step ? (at + step + open.length) % open.length : -1;
  if (at < 0 || to < 0) return;
  event.preventDefault();
  show(open[to], false);
  open[to].tab.focus();
});
document.getElementById("console-form").addEventListener("submit", event => {
  event.preventDefault();
  event.stopPropagation();
  const server = document.getElementById("console-server");
  if (server.value) add(event.submitter?.value === "serial" ? "serial" : "vnc", server.value, server.selectedOptions[0].textContent.trim());
});
// What was open before the page was loaded anew is opened again.
let before = [];
try { before = JSON.parse(sessionStorage.getItem(key) || "[]"); } catch { before = []; }
for (const one of before.slice(0, MOST)) await add(one.how === "vnc" ? "vnc" : "serial", String(one.id), String(one.name));
