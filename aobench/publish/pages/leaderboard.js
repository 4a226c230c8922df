// One table at a time, columns, filters and sorting; all of it stands in the address, so that a link keeps it. Without this script
// every table is there, best first.
"use strict";
(() => {
  const form = document.getElementById("choice"), status = document.getElementById("shown"), unseen = document.getElementById("unseen");
  const boards = Array.from(document.querySelectorAll("section.board"));
  const ticks = Array.from(form.elements.columns), fields = ["table", "family", "training", "name"];
  const standard = ticks.filter((one) => one.checked).map((one) => one.value).join(",");
  const first = form.elements.table.value;
  const asMade = boards.map((board) => ({ rows: Array.from(board.querySelector("tbody").rows), head: board.querySelector("[aria-sort] button")?.dataset.sort }));
  let order = "";
  form.hidden = false;

  function markHead(table, key, down) {
    table.querySelectorAll("thead th").forEach((one) => one.removeAttribute("aria-sort"));
    const head = table.querySelector(`[data-sort="${CSS.escape(key)}"]`)?.closest("th");
    if (head) head.setAttribute("aria-sort", down ? "descending" : "ascending");
  }

  function sortRows(table, key, down) {
    const header = table.querySelector(`[data-sort="${CSS.escape(key)}"]`);
    if (!header) return;
    const place = header.closest("th").cellIndex, rows = Array.from(table.tBodies[0].rows);
    const value = (row) => {
      const cell = row.cells[place], raw = cell.dataset.value ?? cell.textContent.trim().toLowerCase();
      return raw !== "" && Number.isFinite(Number(raw)) ? Number(raw) : raw;
    };
    rows.sort((one, other) => {
      const a = value(one), b = value(other);
      if (a === "" || b === "") return (a === "") - (b === "");  // what is not known comes last
      const before = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
      return down ? -before : before;
    });
    table.tBodies[0].append(...rows);
    markHead(table, key, down);
  }

  function keep() {
    const chosen = new URLSearchParams(), columns = ticks.filter((one) => one.checked).map((one) => one.value).join(",");
    fields.forEach((name) => {
      const value = form.elements[name].value.trim();
      if (value && !(name === "table" && value === first)) chosen.set(name, value);
    });
    if (columns !== standard) chosen.set("columns", columns);
    if (order) chosen.set("sort", order);
    history.replaceState(null, "", `#${chosen}`);
  }

  function apply() {
    const { table, family, training, name } = form.elements, words = name.value.trim().toLowerCase();
    const off = ticks.filter((one) => !one.checked).map((one) => `.c-${one.value}`);
    unseen.textContent = off.length ? `${off.join(", ")} { display: none; }` : "";
    let shown = 0, all = 0;
    boards.forEach((board) => {
      board.hidden = table.value !== "all" && board.id !== table.value;
      board.querySelectorAll("tbody tr").forEach((row) => {
        const away = Boolean((family.value && row.dataset.family !== family.value) || (training.value && row.dataset.training !== training.value) ||
          (words && !`${row.cells[0].textContent} ${row.querySelector(".c-id").textContent}`.toLowerCase().includes(words)));
        row.hidden = away;
        board.querySelectorAll(`svg [data-page="${CSS.escape(row.dataset.page)}"]`).forEach((mark) => { mark.style.display = away ? "none" : ""; });
        if (!board.hidden) { all += 1; shown += away ? 0 : 1; }
      });
    });
    document.querySelectorAll(".trials").forEach((one) => { one.hidden = table.value !== "all"; });
    status.textContent = `${shown} of ${all} rows shown.`;
  }

  function read() {
    const chosen = new URLSearchParams(location.hash.slice(1));
    fields.forEach((name) => {
      const field = form.elements[name], value = chosen.get(name) ?? (name === "table" ? first : "");
      field.value = value;
      if (field.value !== value) field.value = name === "table" ? first : "";  // a link to what is no longer there
    });
    const columns = (chosen.get("columns") ?? standard).split(",");
    ticks.forEach((one) => { one.checked = columns.includes(one.value); });
    order = chosen.get("sort") ?? "";
    boards.forEach((board, number) => {
      const table = board.querySelector("table"), { rows, head } = asMade[number];
      table.tBodies[0].append(...rows);
      markHead(table, head, true);
      if (order) sortRows(table, order.replace(/^-/, ""), order.startsWith("-"));
    });
    apply();
  }

  document.querySelectorAll("thead button").forEach((button) => button.addEventListener("click", () => {
    const down = button.closest("th").getAttribute("aria-sort") !== "descending";
    order = (down ? "-" : "") + button.dataset.sort;
    boards.forEach((board) => sortRows(board.querySelector("table"), button.dataset.sort, down));
    keep();
  }));
  form.addEventListener("input", () => { apply(); keep(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", read);
  read();
})();
