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
  let guide = null; // what the page is for: guideline, examples, who has begun
  let view = new URLSearchParams(location.search).get("view") === "grid" ? "grid" : "one";
  let feedback = null; // what the server said of an example, until Next
  let lately = 1; // how many answers the last message held: undo takes back as many
  const OF_GRID = 12;

  const at = (id) => document.getElementById(id);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  function say(text, bad = false) {
    const line = at("ao-message");
    line.textContent = text;
    line.dataset.bad = String(bad);
  }

  // What `read` makes of an answer that is whole in time.
  async function ask(address, options, read, patience = PATIENCE) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), patience);
    try {
      const reply = await fetch(address, { ...options, signal: stop.signal });
      return { status: reply.status, said: await read(reply) };
    } finally {
      clearTimeout(timer);
    }
  }

  // Ask until there is an answer. Asking twice is harmless: see `turn` on the server.
  async function call(verb, body) {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    for (let late = false; ; late = true) {
      try {
        const { status, said } = await ask(BASE + verb, options, (reply) => reply.json());
        if (status < 500) {
          if (late) say("");
          return { status, said };
        }
        say(`${said.message} Trying again; leave this page open.`, true);
      } catch {
        say("The server does not answer. Leave this page open: what you did last is sent again until it is saved.", true);
      }
      await wait(1000);
    }
  }

  async function decodes(image) {
    try {
      await image.decode();
      return true;
    } catch {
      return false;
    }
  }

  // Whether a picture can be shown. A browser doesn't tell one that is damaged from one that was lost
  // on its way: that one is fetched until it arrives, with more patience each time, for lines that are
  // slow. `mine`: the screen that it is for.
  async function arrives(image, mine) {
    const address = image.src;
    for (let times = 0; ; times++) {
      const fine = await decodes(image);
      if (fine || mine !== showing) return fine;
      try {
        const { status, said } = await ask(
          address, { cache: "reload" }, (reply) => reply.blob(), PATIENCE * Math.min(times + 1, 20));
        if (status < 500) {
          if (times && mine === showing) say("");
          image.src = URL.createObjectURL(said);
          const whole = status === 200 && await decodes(image);
          URL.revokeObjectURL(image.src);
          return whole;
        }
      } catch { /* it was lost again */ }
      if (mine !== showing) return false;
      say("The picture did not arrive. Leave this page open: it is fetched until it does.", true);
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

  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  // A guideline's paragraphs and its points, which begin with "- "; a line that is indented goes on.
  function paragraphs(text) {
    const made = [];
    let points = null;
    for (const block of text.split(/\n(?!\s)/)) {
      const line = block.replace(/\s+/g, " ").trim();
      if (!line) { points = null; continue; }
      if (line.startsWith("- ")) {
        if (!points) made.push(points = element("ul"));
        points.append(element("li", line.slice(2)));
      } else {
        points = null;
        made.push(element("p", line));
      }
    }
    return made;
  }

  async function fetchGuide() {
    guide = (await call("guide", {})).said;
    at("ao-guideline").replaceChildren(...paragraphs(guide.guideline || ""));
    at("ao-examples").replaceChildren(...(guide.examples || []).map((one) => {
      const item = element("li"), image = new Image(), address = `${BASE}example/${one.id}`;
      image.src = address;
      image.alt = `Example: ${one.claim}?`;
      // Lost on its way: some minutes long it is fetched again.
      let times = 0;
      image.addEventListener("error", () => {
        if (times++ < 200) setTimeout(() => { image.src = address; }, 1000);
      });
      item.append(image, element("strong", one.claim), ` Attribute ${one.attribute}, object ${one.object}. ${one.why}`);
      return item;
    }));
    at("ao-guide").querySelector("summary").textContent = (guide.examples || []).length ? "Guideline and examples" : "Guideline";
    if (guide.naming) at("ao-first").textContent = "You see one image at a time, and names to choose from. Take the one that fits best. Each answer "
      + "is saved before the next image is shown; you can stop at any time and go on later under the same name.";
    if (guide.adjudicate) at("ao-first").textContent = "You see the images on which people disagree, with how they voted. Your answer settles them. "
      + "Each is saved before the next image is shown; you can stop at any time and go on later under the same name.";
    at("ao-guide").open = window.innerWidth > 1000;
    at("ao").dataset.kind = guide.naming ? "naming" : guide.adjudicate ? "adjudicate" : "judge";
    at("ao-to-grid").hidden = guide.naming || guide.adjudicate;
    if (guide.naming) at("ao-keys").textContent = "Keys: 1 to 9 take a name, 0 is unsure, U or Backspace goes back.";
    if (guide.naming || guide.adjudicate) view = "one";
    const people = guide.people || [];
    at("ao-people").hidden = !people.length;
    at("ao-people").querySelector("ul").replaceChildren(...people.map((one) => {
      const item = element("li"), link = element("a", one.annotator), address = new URL(location.href);
      address.searchParams.set("annotator", one.annotator);
      link.href = address;
      item.append(link, `: ${one.done} of ${one.total}`);
      return item;
    }));
  }

  function picture(trial) {
    const image = new Image();
    image.alt = "The image to judge";
    image.draggable = false;
    image.src = `${BASE}picture/${trial}?annotator=${encodeURIComponent(now.annotator)}`;
    image.dataset.trial = trial;
    return image;
  }

  function put(image, mine) {
    if (mine === showing && !broken) at("ao-figure").replaceChildren(image);
  }

  // The words of a claim, and a blank figure: the old image must not stand under the new claim.
  function claim(head, attribute, object) {
    at("ao-figure").replaceChildren();
    at("ao-who").textContent = now.annotator;
    at("ao-claim").textContent = head;
    at("ao-attribute").textContent = attribute;
    at("ao-object").textContent = object;
  }

  function votes(trial) {
    for (const place of document.querySelectorAll("#ao [data-votes]")) {
      const cast = trial.votes && trial.votes[place.dataset.votes];
      place.textContent = cast ? `(${cast.yes} yes, ${cast.no} no, ${cast.unsure} unsure)` : "";
    }
  }

  async function settle(image, mine, mark) {
    if (!await arrives(image, mine)) {
      if (mine !== showing) return;
      broken = true;
      say(guide.naming ? "This image cannot be shown. Answer unsure, and tell whoever runs this."
        : "This image cannot be shown. Answer unsure to both, and tell whoever runs this.", true);
    }
    put(image, mine);
    if (mine !== showing) return;
    if (now.following && !now.practice) ahead = picture(now.following);
    shownAt = performance.now();
    await wait(SLIP);
    if (mine !== showing) return;
    ready = true;
    at("ao").dataset.ready = mark;
  }

  async function showPractice(mine) {
    const one = now.practice, image = new Image();
    claim(`Practice: ${one.attribute} ${one.object}`, one.attribute, one.object);
    at("ao-progress").textContent = `Practice ${one.number} of ${one.of}`;
    at("ao-bar").max = one.of;
    at("ao-bar").value = one.number - 1;
    votes({});
    screen("trial");
    image.alt = "The example to judge";
    image.src = `${BASE}example/${one.id}`;
    await settle(image, mine, `practice-${one.id}`);
  }

  function nameButtons(trial) {
    const names = trial.choices || [];
    const buttons = names.map((name, place) => {
      const button = element("button", name);
      button.type = "button";
      button.dataset.name = name;
      button.setAttribute("aria-keyshortcuts", String(place + 1));
      button.append(" ", element("kbd", String(place + 1)));
      return button;
    });
    if (names.length) {
      const unsure = element("button", "Unsure ");
      unsure.type = "button";
      unsure.dataset.name = "unsure";
      unsure.setAttribute("aria-keyshortcuts", "0");
      unsure.append(element("kbd", "0"));
      buttons.push(unsure);
    }
    at("ao-names").replaceChildren(...buttons);
  }

  async function show(said) {
    const mine = ++showing;
    now = said;
    given = {};
    ready = broken = false;
    feedback = null;
    at("ao-feedback").hidden = true;
    at("ao").dataset.practice = now.practice ? "on" : "";
    pressed();
    for (const button of document.querySelectorAll("#ao [data-act=undo]")) button.disabled = now.done === 0;
    if (now.practice) return showPractice(mine);
    at("ao-figure").replaceChildren();
    if (!now.trial) {
      at("ao-all").textContent = `${now.annotator}, you have answered all ${now.total} screens. You can close this page.`;
      screen("done");
      at("ao").dataset.ready = "done";
      return;
    }
    if (view === "grid") return showGrid(mine);
    const { attribute = "", object = "" } = now.trial;
    claim(now.trial.choices ? "Which of these is it?" : `${attribute} ${object}`, attribute, object);
    at("ao-progress").textContent = `${now.done + 1} of ${now.total}`;
    at("ao-bar").max = now.total;
    at("ao-bar").value = now.done;
    votes(now.trial);
    nameButtons(now.trial);
    screen("trial");
    const image = ahead && ahead.dataset.trial === now.trial.id ? ahead : picture(now.trial.id);
    ahead = null;
    await settle(image, mine, now.trial.id);
  }

  function tile(trial) {
    const item = element("li"), image = picture(trial.id), words = element("div", undefined, "ao-words");
    image.alt = `${trial.attribute} ${trial.object}?`;
    item.dataset.trial = trial.id;
    for (const part of ["attribute", "object"]) {
      const button = element("button", trial[part]);
      button.type = "button";
      button.dataset.wrong = part;
      button.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-label", `${trial[part]} is wrong`);
      words.append(button);
    }
    item.append(image, words);
    return item;
  }

  async function showGrid(mine) {
    screen("grid");
    at("ao-tiles").replaceChildren();
    const { status, said } = await call("grid", { annotator: now.annotator, count: OF_GRID });
    if (mine !== showing) return;
    if (status !== 200) return say(said.message, true);
    now = said;
    if (!now.trial) return show(now);
    at("ao-grid-who").textContent = now.annotator;
    at("ao-grid-progress").textContent = `${now.done + 1} to ${now.done + said.grid.length} of ${now.total}`;
    at("ao-grid-bar").max = now.total;
    at("ao-grid-bar").value = now.done;
    const tiles = said.grid.map(tile);
    at("ao-tiles").replaceChildren(...tiles);
    await Promise.all(tiles.map(async (item) => {
      if (await arrives(item.querySelector("img"), mine)) return;
      item.dataset.broken = "true";
      item.querySelector("img").replaceWith(element("p", "This image cannot be shown: it is saved as unsure."));
      for (const button of item.querySelectorAll("button")) button.disabled = true;
    }));
    if (mine !== showing) return;
    shownAt = performance.now();
    await wait(SLIP);
    if (mine !== showing) return;
    ready = true;
    at("ao").dataset.ready = `grid-${now.turn}`;
  }

  async function saveGrid() {
    if (busy || !ready || at("ao").dataset.screen !== "grid") return;
    ready = false;
    const answers = Array.from(at("ao-tiles").children, (item) => {
      const of = (part) => item.dataset.broken ? "unsure"
        : item.querySelector(`[data-wrong=${part}]`).getAttribute("aria-pressed") === "true" ? "no" : "yes";
      return { trial: item.dataset.trial, attribute: of("attribute"), object: of("object") };
    });
    const seconds = Math.round(performance.now() - shownAt) / 1000;
    if (await change("verdicts", { answers, seconds })) lately = answers.length;
    else ready = true;
  }

  function changeView() {
    if (busy || !now) return;
    view = view === "grid" ? "one" : "grid";
    const address = new URL(location.href);
    if (view === "grid") address.searchParams.set("view", "grid");
    else address.searchParams.delete("view");
    history.replaceState(null, "", address);
    show(now);
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
      return false;
    }
    say(status === 409 ? `Nothing was saved: ${said.message}.` : "", status === 409);
    lately = 1;
    if (said.feedback) showFeedback(said);
    else show(said);
    return status === 200;
  }

  function showFeedback(said) {
    const { yours, right, why } = said.feedback, same = yours[0] === right[0] && yours[1] === right[1];
    feedback = said;
    ready = false;
    at("ao-said").textContent = `${same ? "Right." : `Not quite: attribute ${right[0]}, object ${right[1]}.`} ${why}`;
    at("ao-feedback").dataset.right = String(same);
    at("ao-feedback").hidden = false;
    at("ao").dataset.ready = "feedback";
    at("ao-feedback").querySelector("button").focus();
  }

  function next() {
    if (feedback) show(feedback);
  }

  async function answer(question, value) {
    if (busy || !ready || !now || !(now.trial || now.practice) || (broken && value !== "unsure")) return;
    if (at("ao").dataset.screen !== "trial" || guide.naming) return;
    given[question] = value;
    pressed();
    if (!given.attribute || !given.object) return;
    if (now.practice) return change("practice", { example: now.practice.id, attribute: given.attribute, object: given.object });
    const seconds = Math.round(performance.now() - shownAt) / 1000;
    await change("verdict", { trial: now.trial.id, attribute: given.attribute, object: given.object, seconds });
  }

  async function nameIt(name) {
    if (busy || !ready || !now || !now.trial || (broken && name !== "unsure")) return;
    ready = false;
    const seconds = Math.round(performance.now() - shownAt) / 1000;
    if (!await change("name", { trial: now.trial.id, answer: name, seconds }) && !at("ao").dataset.ready) ready = true;
  }

  async function undo() {
    if (busy || !now || now.practice || (now.trial && !ready)) return;
    if (given.attribute || given.object) {
      given = {};
      pressed();
    } else if (now.done) {
      await change("undo", { count: Math.min(lately, now.done) });
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
    now = ahead = feedback = null;
    ready = false;
    const address = new URL(location.href);
    address.searchParams.delete("annotator");
    history.replaceState(null, "", address);
    at("ao-figure").replaceChildren();
    say("");
    screen("name");
    at("ao-annotator").focus();
    fetchGuide();
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
    const naming = guide && guide.naming && now && now.trial;
    if (naming && /^[0-9]$/.test(key)) {
      const button = document.querySelector(`#ao-names [aria-keyshortcuts="${key}"]`);
      if (!button) return;
      nameIt(button.dataset.name);
    } else if (feedback && key === "n") next();
    else if (KEYS[key]) answer(...KEYS[key]);
    else if (key === "u" || key === "backspace") undo();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("#ao button") : null;
    if (!button) return;
    if (button.dataset.wrong) {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    } else if (button.dataset.name) nameIt(button.dataset.name);
    else if (button.dataset.act === "next") next();
    else if (button.dataset.act === "save") saveGrid();
    else if (button.dataset.act === "view") changeView();
    else if (button.dataset.answer) answer(button.closest("fieldset").dataset.question, button.dataset.answer);
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
    if (document.visibilityState !== "visible" || !now || busy || feedback) return;
    const { status, said } = await call("start", { annotator: now.annotator });
    if (status === 200 && now && !busy && said.annotator === now.annotator && said.turn !== now.turn) await show(said);
  });

  // Gradio builds the page after this script has run.
  const timer = setInterval(() => {
    if (!at("ao")) return;
    clearInterval(timer);
    start();
  }, 30);

  async function start() {
    await fetchGuide();
    const name = new URLSearchParams(location.search).get("annotator");
    if (name) begin(name);
    else leave();
  }
})();
