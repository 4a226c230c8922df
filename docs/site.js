// Whatever scrolls by itself can be reached by the keyboard.
function reachScrollingParts() {
  for (const part of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) {
    part.tabIndex = 0;
  }
}
// A line may end between the words of a command, not at the hyphens of an option.
function keepOptionsWhole() {
  for (const code of document.querySelectorAll(":not(pre) > code")) {
    if (code.children.length || !code.textContent.includes("-")) continue;
    const words = code.textContent.split(/( +)/).map((text) => {
      const word = document.createElement("span");
      word.textContent = text;
      if (text.trim() && text.length <= 30) word.className = "whole-word";
      return word;
    });
    code.replaceChildren(...words);
  }
}
addEventListener("DOMContentLoaded", () => { reachScrollingParts(); keepOptionsWhole(); });
addEventListener("load", reachScrollingParts);
