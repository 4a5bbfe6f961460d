// What the pages have beyond plain HTML: live rows, activity, copying, uploads with progress. All pages work without it.
"use strict";
(() => {
  const body = document.body, root = document.documentElement;
  root.classList.add("js");
  const $ = (what, within = document) => within.querySelector(what);
  const $$ = (what, within = document) => [...within.querySelectorAll(what)];

  // ---- small comforts
  const times = new Intl.DateTimeFormat(root.lang, { dateStyle: "medium", timeStyle: "short" });
  function dress(within) {
    for (const time of $$("time[datetime]", within)) {
      const when = new Date(time.dateTime);
      if (!isNaN(when)) { time.title = time.dateTime; time.textContent = times.format(when); }
    }
    for (const box of $$("[data-all]", within)) box.hidden = false;
    // On a phone each value of a row stands below another, with its column's name.
    for (const row of within.matches?.("tr") ? [within] : $$(".rows tbody tr", within)) {
      const names = $$("thead tr > *", row.closest("table"));
      [...row.children].forEach((cell, place) => { if (cell.tagName === "TD" && names[place]?.textContent) cell.dataset.label = names[place].textContent; });
    }
    for (const block of $$("pre[data-copy]", within)) {
      if ($("button", block) || !navigator.clipboard) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = block.dataset.copy;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText($("code", block).textContent);
        button.textContent = block.dataset.copied;
      });
      block.append(button);
    }
  }
  dress(document);
  // The menu shows where one is.
  const menu = $("#menu"), current = menu && $("[aria-current]", menu);
  if (current && menu.scrollHeight > menu.clientHeight) menu.scrollTop = Math.max(0, current.offsetTop - menu.clientHeight / 2);
  document.addEventListener("htmx:afterSettle", event => dress(event.target));
  document.addEventListener("change", event => {
    const target = event.target;
    if (target.matches("[data-submit]")) target.form.submit();
    if (target.matches("[data-all]")) for (const box of $$("tbody input[type=checkbox]", target.closest("table"))) box.checked = target.checked;
  });
  document.addEventListener("keydown", event => {
    if (event.key === "Escape") {
      for (const menu of $$("details.menu[open]")) { menu.open = false; $("summary", menu).focus(); }
      const found = $("#found"), drawer = $("#tasks");
      if (found) found.replaceChildren();
      if (drawer && !drawer.hidden) $("#open-tasks").click();
    }
    if (event.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(event.target.tagName) && $("#q-all")) { event.preventDefault(); $("#q-all").focus(); }
  });
  document.addEventListener("click", event => {
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
    if ($("#found") && !event.target.closest(".search")) $("#found").replaceChildren();
  });
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", event => {
    const form = event.target;
    if (form.method !== "post" || form.target === "_blank") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.matches("[data-upload]") && $("input[type=file]", form)?.files.length) { event.preventDefault(); upload(form); return; }
    form.dataset.sent = "yes";
    // One that is answered by a file leaves its page where it is.
    if (form.matches("[data-file]")) setTimeout(() => { delete form.dataset.sent; }, 1000);
  });
  addEventListener("pageshow", () => { for (const form of $$("form[data-sent]")) delete form.dataset.sent; });

  function upload(form) {
    const bar = $("progress", form), sent = new XMLHttpRequest();
    form.dataset.sent = "yes";
    bar.hidden = false;
    sent.upload.addEventListener("progress", event => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
    sent.addEventListener("load", () => {
      if (sent.status < 400 && sent.responseURL && !sent.responseURL.endsWith(form.getAttribute("action"))) { location.assign(sent.responseURL); return; }
      const page = new DOMParser().parseFromString(sent.responseText, "text/html"), main = $("main", page);
      if (main) { $("main").replaceWith(document.adoptNode(main)); $("main").focus(); }
      delete form.dataset.sent;
    });
    sent.addEventListener("error", () => { delete form.dataset.sent; bar.hidden = true; say($("#said").dataset.lost); });
    sent.open("POST", form.action);
    sent.setRequestHeader("Accept", "text/html");
    sent.send(new FormData(form));
  }

  // ---- what happens
  function say(text) { const said = $("#said"); if (said) said.textContent = text; }
  if (!body.dataset.stream || !window.EventSource) return;
  const drawer = $("#tasks"), list = $("ol.told", drawer), opener = $("#open-tasks"), counter = $("#count-tasks");
  const KEPT = 40, key = "tane-activity-" + body.dataset.user;
  const kinds = JSON.parse($("#kinds").content.textContent);
  let told = [];
  try { told = JSON.parse(sessionStorage.getItem(key) || "[]"); } catch { told = []; }
  opener.hidden = false;
  opener.addEventListener("click", () => {
    drawer.hidden = !drawer.hidden;
    opener.setAttribute("aria-expanded", String(!drawer.hidden));
    counter.textContent = "";
    (drawer.hidden ? opener : drawer).focus();
    steps();
  });
  // The steps of what is done just now: asked for when one looks, and again when something happened.
  function steps() { if (!drawer.hidden) htmx.ajax("GET", "/dashboard/tasks", { target: "#steps", swap: "innerHTML" }); }
  function show() {
    list.replaceChildren(...told.map(one => {
      const item = document.createElement("li"), when = new Date(one.at.endsWith("Z") ? one.at : one.at + "Z");
      const name = document.createElement("b");
      name.textContent = one.name;
      item.append(name, ` ${one.type} ${drawer.dataset[one.action] || one.action} ${one.state} · ${times.format(when)}`);
      return item;
    }));
    if (!told.length) { const item = document.createElement("li"); item.textContent = drawer.dataset.empty; list.append(item); }
  }
  show();
  function note(what, action, event) {
    const data = event.data || {};
    const again = told[0]?.id === event.resource_id && told[0].action === action;
    if (again) told.shift();
    told.unshift({ id: event.resource_id, type: kinds[what], action, name: data.name || event.resource_id, state: data.status || data.state || "", at: event.at });
    told.length = Math.min(told.length, KEPT);
    try { sessionStorage.setItem(key, JSON.stringify(told)); } catch { /* full: only this page remembers */ }
    if (drawer.hidden && !again) counter.textContent = parseInt(counter.textContent || "0", 10) < 99 ? String(Number(counter.textContent) + 1) : "99+";
    show();
    soon("steps", steps);
  }

  const waiting = new Map();
  function soon(name, work) {
    clearTimeout(waiting.get(name));
    waiting.set(name, setTimeout(() => { waiting.delete(name); work(); }, 250));
  }
  // What comes in the place of something has the focus, if that had it: on its like, or else on what is there first.
  const mark = one => [one.tagName, one.getAttribute("href"), one.name, one.value, one.form?.getAttribute("action")].join(" ");
  async function swap(path, target, how, find) {
    let had = "";
    const before = event => { if (event.detail.target === target && target.contains(document.activeElement)) had = mark(document.activeElement); };
    document.addEventListener("htmx:beforeSwap", before);
    try { await htmx.ajax("GET", path, { target, swap: how }); } finally { document.removeEventListener("htmx:beforeSwap", before); }
    const fresh = find();
    if (!fresh) return null;
    dress(fresh);
    if (had && (document.activeElement === body || !document.activeElement)) {
      const all = $$("a[href], button, input:not([type=hidden]), select, textarea, summary", fresh);
      (all.find(one => mark(one) === had) || all.find(one => one.matches("a[href], button")) || $("#main")).focus();
    }
    return fresh;
  }
  const stateOf = within => $(".state", within)?.textContent || "";
  function tell(name, was, fresh) { const state = stateOf(fresh); if (state && state !== was) say(`${name}: ${state}`); }
  const inUse = within => $(":checked, details[open]", within) || (within.contains(document.activeElement) && document.activeElement.matches("select, textarea, [type=search], [type=text]"));

  const same = (shown, id) => shown === id || shown.endsWith(":" + id);
  function refresh(what, action, id) {
    for (const table of $$(`table[data-live="${what}"]`)) {
      const row = $$("tr[data-id]", table).find(one => same(one.dataset.id, id));
      if (row) {
        soon("row " + id, async () => {
          const chosen = $("input[type=checkbox]", row)?.checked, was = stateOf(row);
          const path = `/dashboard/row/${table.dataset.kind}/${encodeURIComponent(row.dataset.id)}`;
          const fresh = await swap(path, row, "outerHTML", () => $$("tr[data-id]", table).find(one => same(one.dataset.id, id)));
          if (!fresh) return;
          fresh.classList.add("changed");
          const box = $("input[type=checkbox]", fresh);
          if (box && chosen) box.checked = true;
          tell($("th", fresh)?.textContent.trim() || id, was, fresh);
        });
      }
    }
    const whole = () => { const part = $("#table"); if (part && !inUse(part)) swap(location.pathname + location.search, part, "innerHTML", () => part); };
    if ($("#table [data-follows]")) soon("table", whole);
    if (action === "create" && $("#table") && body.querySelector(`#table [data-live="${what}"], #table .empty`) && !location.search.includes("marker")) {
      soon("table", whole);
    }
    const detail = $("#detail"), panels = $("#panels"), of = detail?.dataset.detail;
    const about = detail && (of === "*" || (of === what && same(detail.dataset.id, id)));
    if (about) {
      soon("detail", async () => {
        if ($("details[open]", detail)) return;
        const was = stateOf(detail);
        tell($("h1").textContent, was, await swap(detail.dataset.row, detail, "innerHTML", () => detail));
      });
    }
    if (panels && (about || (action === "create" && $(`[data-holds="${what}"]`, panels)))) {
      soon("panels", () => { if (!inUse(panels)) swap(panels.dataset.panels, panels, "innerHTML", () => panels); });
    }
  }
  document.addEventListener("htmx:beforeSwap", event => {
    // What was shown is gone: its row goes, its page stays as it was.
    if (event.detail.xhr.status === 401) location.assign("/dashboard/login?ended=1");
  });

  // One stream for a page that is seen: a hidden one leaves its place to others, and goes on where it stopped.
  let stream = null, last = "", lost = false, hiding = 0, ended = false;
  function follow() {
    if (ended) return;
    const where = new URL(body.dataset.stream, location.href);
    if (last) where.searchParams.set("cursor", last);
    stream = new EventSource(where);
    stream.addEventListener("open", () => { if (lost) { lost = false; say($("#said").dataset.back); } });
    stream.addEventListener("error", () => {
      if (!lost) { lost = true; say($("#said").dataset.lost); }
      if (stream && stream.readyState === EventSource.CLOSED) { stream = null; again(); }
    });
    for (const what of Object.keys(kinds)) {
      for (const action of ["create", "update", "delete"]) {
        stream.addEventListener(`${what}.${action}`, message => {
          last = message.lastEventId;
          const event = JSON.parse(message.data);
          note(what, action, event);
          refresh(what, action, event.resource_id);
        });
      }
    }
  }
  // The stream was refused: for good where the session is over, which a browser does not tell of a stream.
  async function again() {
    const answer = await fetch("/dashboard/tasks", { headers: { "HX-Request": "true" } }).catch(() => null);
    if (answer?.status !== 401) { setTimeout(() => { if (!stream && !document.hidden) follow(); }, 10000); return; }
    ended = true;
    const note = document.createElement("p"), link = document.createElement("a");
    note.className = "note bad";
    link.href = "/dashboard/login?next=" + encodeURIComponent(location.pathname + location.search);
    link.textContent = $("#said").dataset.ended;
    note.append(link);
    $("#main").prepend(note);
    say(link.textContent);
  }
  function leave() { if (stream) { stream.close(); stream = null; } }
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (document.hidden) hiding = setTimeout(leave, 5000);
    else if (!stream) follow();
  });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", event => { if (event.persisted) location.reload(); });
  follow();
})();
