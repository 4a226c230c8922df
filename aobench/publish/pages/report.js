"use strict";
(() => {
  const data = JSON.parse(document.getElementById("gallery").textContent);
  const form = document.getElementById("filter"), list = document.getElementById("pictures");
  const more = document.getElementById("more"), status = document.getElementById("shown");
  const STEP = 48, perSheet = data.across * data.across;
  let wanted = [], drawn = 0;
  data.models.forEach((name, number) => form.elements.model.append(new Option(name, number)));

  const answerOf = (model, image) => data.answers[model][image];
  const namesOf = (model, answer) => answer.slice(1).map((one) => data.names[model][one]);

  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  function draw(image) {
    const model = Number(form.elements.model.value), facts = data.images[image], answer = answerOf(model, image);
    const item = element("li"), place = image % perSheet, picture = element("div", "", `picture sheet-${Math.floor(image / perSheet)}`);
    picture.style.width = picture.style.height = `${data.side}px`;
    picture.style.backgroundPosition = `-${(place % data.across) * data.side}px -${Math.floor(place / data.across) * data.side}px`;
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", facts.t);
    item.append(picture, element("strong", facts.t), element("span", facts.s === "ood" ? "novel" : "seen", "soft"));
    if (data.counted) item.append(element("span", facts.c === null || facts.c === undefined ? ", not counted" : `, ${facts.c} captions`, "soft"));
    if (answer === null) {
      item.append(element("p", "not asked", "soft"));
    } else if (answer[0] < 0) {
      item.append(element("p", "unreadable: counts as wrong", "soft"));
    } else {
      const best = element("ol");
      namesOf(model, answer).forEach((name, rank) => best.append(element("li", name, rank === answer[0] ? "right" : "")));
      item.append(best);
      if (answer[0] >= answer.length - 1) item.append(element("span", `right one at rank ${answer[0] + 1}`, "soft"));
    }
    return item;
  }

  function extend() {
    wanted.slice(drawn, drawn + STEP).forEach((image) => list.append(draw(image)));
    drawn = Math.min(drawn + STEP, wanted.length);
    more.hidden = drawn === wanted.length;
    status.textContent = `${drawn} shown of ${wanted.length} that fit, of ${data.images.length} pictures here and ${data.of} in the set.`;
  }

  function apply() {
    const model = Number(form.elements.model.value), which = form.elements.which.value, split = form.elements.split.value;
    const words = form.elements.words.value.trim().toLowerCase();
    wanted = [];
    data.images.forEach((facts, image) => {
      const answer = answerOf(model, image), right = answer !== null && answer[0] === 0;
      if (split && facts.s !== split) return;
      if (which && (answer === null || right !== (which === "right"))) return;
      if (words && ![facts.t, ...(answer ? namesOf(model, answer).slice(0, 1) : [])].some((text) => text.toLowerCase().includes(words))) return;
      wanted.push(image);
    });
    list.replaceChildren();
    drawn = 0;
    extend();
  }
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", extend);
  apply();
})();
