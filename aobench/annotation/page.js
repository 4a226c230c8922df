// One image a screen. The server holds the truth: each message names the trial and the turn it is about, and the next
// image is shown only when the server says that the verdict is on disk.
(() => {
  const KEYS = {
    a: ["attribute", "yes"], s: ["attribute", "no"], d: ["attribute", "unsure"],
    j: ["object", "yes"], k: ["object", "no"], l: ["object", "unsure"],
  };
  // Nobody judges an image faster: an answer within this time (ms) is the second half of a double press.
  const SLIP = 250;
  const PATIENCE = 15000;
  const BASE = location.pathname.replace(/[^/]*$/, "") + "annotation/";

  let now = null; // what the server said last
  let given = {}; // answers to the image on the screen, not sent yet
  let busy = false, ready = false, broken = false, shownAt = 0, showing = 0;
  let ahead = null; // the next picture, being fetched

  const at = (id) => document.getElementById(id);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  function say(text, bad = false) {
    const line = at("ao-message");
    line.textContent = text;
    line.dataset.bad = String(bad);
  }

  // Ask until there is an answer. Asking twice is harmless: see `turn` on the server.
  async function call(verb, body) {
    for (let late = false; ; late = true) {
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), PATIENCE);
      try {
        const reply = await fetch(BASE + verb, {
          method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal: stop.signal,
        });
        const said = await reply.json();
        if (reply.status < 500) {
          if (late) say("");
          return { status: reply.status, said };
        }
        say(`${said.message} Trying again; leave this page open.`, true);
      } catch {
        say("The server does not answer. Leave this page open: what you did last is sent again until it is saved.", true);
      } finally {
        clearTimeout(timer);
      }
      await wait(1000);
    }
  }

  function screen(name) {
    at("ao").dataset.screen = name;
    at("ao").dataset.ready = "";
  }

  function pressed() {
    for (const set of document.querySelectorAll("#ao fieldset")) {
      for (const button of set.querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(given[set.dataset.question] === button.dataset.answer));
      }
    }
  }

  function picture(trial) {
    const image = new Image();
    image.alt = "The image to judge";
    image.draggable = false;
    image.src = `${BASE}picture/${trial}?annotator=${encodeURIComponent(now.annotator)}`;
    image.dataset.trial = trial;
    return image;
  }

  async function show(said) {
    const mine = ++showing;
    now = said;
    given = {};
    ready = broken = false;
    pressed();
    for (const button of document.querySelectorAll("#ao [data-act=undo]")) button.disabled = now.done === 0;
    at("ao-figure").replaceChildren(); // the old image must not stand under the new claim
    if (!now.trial) {
      at("ao-all").textContent = `${now.annotator}, you have answered all ${now.total} screens. You can close this page.`;
      screen("done");
      at("ao").dataset.ready = "done";
      return;
    }
    at("ao-progress").textContent = `${now.done + 1} of ${now.total}`;
    at("ao-bar").max = now.total;
    at("ao-bar").value = now.done;
    at("ao-who").textContent = now.annotator;
    at("ao-claim").textContent = `${now.trial.attribute} ${now.trial.object}`;
    at("ao-attribute").textContent = now.trial.attribute;
    at("ao-object").textContent = now.trial.object;
    screen("trial");
    const image = ahead && ahead.dataset.trial === now.trial.id ? ahead : picture(now.trial.id);
    ahead = null;
    try {
      await image.decode();
    } catch {
      if (mine !== showing) return;
      broken = true;
      say("This image cannot be shown. Answer unsure to both, and tell whoever runs this.", true);
    }
    if (mine !== showing) return;
    if (!broken) at("ao-figure").replaceChildren(image);
    if (now.following) ahead = picture(now.following);
    shownAt = performance.now();
    await wait(SLIP);
    if (mine !== showing) return;
    ready = true;
    at("ao").dataset.ready = now.trial.id;
  }

  async function change(verb, body) {
    busy = true;
    const slow = setTimeout(() => say("Saving ..."), 400);
    const { status, said } = await call(verb, { annotator: now.annotator, turn: now.turn, ...body });
    clearTimeout(slow);
    busy = false;
    if (status === 400 || status === 415) {
      say(said.message, true);
      given = {};
      pressed();
      return;
    }
    say(status === 409 ? `Nothing was saved: ${said.message}.` : "", status === 409);
    await show(said);
  }

  async function answer(question, value) {
    if (busy || !ready || !now || !now.trial || (broken && value !== "unsure")) return;
    given[question] = value;
    pressed();
    if (!given.attribute || !given.object) return;
    const seconds = Math.round(performance.now() - shownAt) / 1000;
    await change("verdict", { trial: now.trial.id, attribute: given.attribute, object: given.object, seconds });
  }

  async function undo() {
    if (busy || !now || (now.trial && !ready)) return;
    if (given.attribute || given.object) {
      given = {};
      pressed();
    } else if (now.done) {
      await change("undo", {});
    }
  }

  async function begin(name) {
    if (busy || !name.trim()) return;
    busy = true;
    const { status, said } = await call("start", { annotator: name });
    busy = false;
    if (status !== 200) {
      leave();
      say(said.message, true);
      return;
    }
    say("");
    const address = new URL(location.href);
    address.searchParams.set("annotator", said.annotator);
    history.replaceState(null, "", address);
    await show(said);
  }

  function leave() {
    if (busy) return;
    showing++;
    now = ahead = null;
    ready = false;
    const address = new URL(location.href);
    address.searchParams.delete("annotator");
    history.replaceState(null, "", address);
    at("ao-figure").replaceChildren();
    say("");
    screen("name");
    at("ao-annotator").focus();
  }

  document.addEventListener("keydown", (event) => {
    if (!at("ao") || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const within = event.target instanceof Element ? event.target : document.body;
    if (within.closest("input, textarea, select, [contenteditable]:not([contenteditable=false])")) return;
    // A key held down is one press, also Enter and Space on a button.
    if (event.repeat) {
      if (now && within.closest("#ao button")) event.preventDefault();
      return;
    }
    // Other alphabets than Latin: the key in the same place.
    const key = /^[!-~]+$/.test(event.key) ? event.key.toLowerCase() : event.code.replace(/^Key/, "").toLowerCase();
    if (KEYS[key]) answer(...KEYS[key]);
    else if (key === "u" || key === "backspace") undo();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("#ao button") : null;
    if (!button) return;
    if (button.dataset.answer) answer(button.closest("fieldset").dataset.question, button.dataset.answer);
    else if (button.dataset.act === "undo") undo();
    else if (button.dataset.act === "leave") leave();
  });

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "ao-form") return;
    event.preventDefault();
    begin(at("ao-annotator").value);
  });

  // Another tab of the same annotator may have gone on meanwhile.
  document.addEventListener("visibilitychange", async () => {
    if (document.visibilityState !== "visible" || !now || busy) return;
    const { status, said } = await call("start", { annotator: now.annotator });
    if (status === 200 && now && !busy && said.annotator === now.annotator && said.turn !== now.turn) await show(said);
  });

  // Gradio builds the page after this script has run.
  const timer = setInterval(() => {
    if (!at("ao")) return;
    clearInterval(timer);
    const name = new URLSearchParams(location.search).get("annotator");
    if (name) begin(name);
    else leave();
  }, 30);
})();
