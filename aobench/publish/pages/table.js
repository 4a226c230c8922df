// Sorting by a column's button, and filtering of rows; without this script the tables are whole, best first.
"use strict";

function sortBy(header) {
  const table = header.closest("table");
  const place = Array.from(header.parentNode.children).indexOf(header);
  const down = header.getAttribute("aria-sort") !== "descending";
  const rows = Array.from(table.tBodies[0].rows);
  const value = (row) => {
    const cell = row.cells[place];
    const raw = cell.dataset.value;
    return raw === undefined ? cell.textContent.trim().toLowerCase() : raw === "" ? -Infinity : Number(raw);
  };
  rows.sort((a, b) => {
    const x = value(a), y = value(b);
    const order = typeof x === "number" ? x - y : x.localeCompare(y);
    return down ? -order : order;
  });
  rows.forEach((row) => table.tBodies[0].append(row));
  header.parentNode.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
}

document.querySelectorAll("thead button").forEach((button) => {
  button.addEventListener("click", () => sortBy(button.closest("th")));
});

const form = document.querySelector("form.filter");
if (form) {
  const status = document.getElementById("shown");
  const apply = () => {
    const family = form.elements.family.value, training = form.elements.training.value;
    const words = form.elements.name.value.trim().toLowerCase();
    let shown = 0;
    const rows = document.querySelectorAll("tr[data-family]");
    rows.forEach((row) => {
      row.hidden = Boolean((family && row.dataset.family !== family) || (training && row.dataset.training !== training) ||
        (words && !row.cells[0].textContent.toLowerCase().includes(words)));
      shown += row.hidden ? 0 : 1;
    });
    status.textContent = `${shown} of ${rows.length} models shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
}
