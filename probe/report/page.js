// Sorts and filters the heat map. The page is whole without it.
"use strict";
const table = document.querySelector(".map");
if (table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const rank = { b: 5, s: 4, r: 3, c: 2, u: 1, n: 0 };
  const share = (cell) => {
    const found = /([<>]?)(\d+)/.exec(cell.lastChild.data || "");
    return found ? Number(found[2]) + { "<": -0.5, "": 0, ">": 0.5 }[found[1]] : -1;
  };
  const standing = (cell) => rank[cell.classList[0]] * 1000 + share(cell);
  const key = (cell) => (cell.classList[0] in rank ? standing(cell) : cell.textContent);
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  // The first press brings the worst to the top; of texts, the first.
  const sort = (header, column) => {
    const texts = !(rows[0].cells[column].classList[0] in rank);
    const was = header.getAttribute("aria-sort");
    const now = was ? (was === "ascending" ? "descending" : "ascending") : texts ? "ascending" : "descending";
    const keyed = rows.map((row) => [key(row.cells[column]), row]);
    keyed.sort(([a], [b]) => (now === "ascending" ? compare(a, b) : compare(b, a)));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", now);
    rows.splice(0, rows.length, ...keyed.map(([, row]) => row));
    body.append(...rows);
  };
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(header, column));
    header.append(button);
  });

  const controls = document.querySelector(".controls");
  const find = controls.querySelector("input");
  const choose = controls.querySelector("select");
  const count = controls.querySelector("[role=status]");
  const texts = new Map(rows.map((row) => [row, row.cells[0].textContent.toLowerCase()]));
  // A number is found however it is written: (202) 555-0101 as well.
  const digits = (text) => (/^[\d\s().+-]+$/.test(text) ? text.replace(/\D/g, "") : "");
  const filter = () => {
    const wanted = find.value.trim().toLowerCase();
    const number = digits(wanted);
    const names = (text) => text.includes(wanted) || (number !== "" && text.includes(number));
    let shown = 0;
    for (const row of rows) {
      const fits = choose.value === "" || choose.value.includes(row.cells[1].classList[0]);
      row.hidden = !(fits && names(texts.get(row)));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} caller IDs shown`;
  };
  find.addEventListener("input", filter);
  choose.addEventListener("change", filter);
  controls.hidden = false;
  filter();
}
