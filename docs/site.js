// Whatever scrolls by itself can be reached by the keyboard.
function reachScrollingParts() {
  for (const part of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) {
    part.tabIndex = 0;
  }
}
addEventListener("DOMContentLoaded", reachScrollingParts);
addEventListener("load", reachScrollingParts);
