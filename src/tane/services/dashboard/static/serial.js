// The page of one serial console.
const place = document.getElementById("terminal"), said = document.getElementById("terminal-said"), words = place.dataset;
const { serial } = await import(words.terminal);
await serial(place, words.xterm, location.pathname, text => { said.textContent = text; }, words);
