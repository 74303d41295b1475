/* SPDX-License-Identifier: GPL-2.0-only */
/* Sorts and filters the page of `compare`, which is whole without. It makes no HTML of any text. */
"use strict";

const root = document.documentElement;
const table = document.getElementById("table");
const tools = document.getElementById("tools");
const heads = [...table.tHead.rows[0].cells];
// Columns before it have words, those from it on have a mechanism's cells.
const FIRST = heads.findIndex((head) => head.dataset.mechanism !== undefined);

const rows = [...table.tBodies].map((body, place) => {
  const [first, second] = body.rows;
  const [operation, ...words] = [...first.cells].slice(0, FIRST);
  const keys = [operation.querySelector("a"), ...words].map((cell) => cell.textContent);
  const text = body.textContent.toLowerCase();
  return { body, place, keys, group: keys[1], where: keys[2], cells: [...first.cells].slice(FIRST), why: second.cells[0], text };
});

/* Filter */

// What is compared: neither the bare run nor what never ran.
function compares(column, row) {
  return heads[FIRST + column].dataset.bare === undefined && row.cells[column].dataset.kind !== "missing";
}

function wanted(row, form, shown) {
  const words = form.get("words").toLowerCase().split(/\s+/);
  const name = form.get("mechanism");
  const result = form.get("result");
  const compared = shown.filter((column) => compares(column, row)).map((column) => row.cells[column].dataset);
  const asked = name ? [row.cells[heads.findIndex((head) => head.dataset.mechanism === name) - FIRST].dataset] : compared;
  return (
    words.every((word) => row.text.includes(word)) &&
    (!form.get("group") || form.get("group") === row.group) &&
    (!form.get("place") || form.get("place") === row.where) &&
    (!result || asked.some((cell) => cell.kind === result || cell.result === result)) &&
    (!form.get("differences") || new Set(compared.map((cell) => cell.result)).size > 1)
  );
}

function filter() {
  const form = new FormData(tools);
  const shown = form.getAll("column").map(Number);
  heads.slice(FIRST).forEach((head, at) => (head.hidden = !shown.includes(at)));
  for (const row of rows) {
    row.cells.forEach((cell, at) => (cell.hidden = !shown.includes(at)));
    row.why.colSpan = FIRST - 1 + shown.length;
    row.body.hidden = !wanted(row, form, shown);
  }
  const left = rows.filter((row) => !row.body.hidden).length;
  tools.querySelector("output").textContent = `${left} of ${rows.length} operations`;
}

/* Sort: upwards, downwards, and as it was */

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
const inOrder = new Intl.Collator("en", { numeric: true }).compare;

function compare(one, other, column) {
  if (column < FIRST) {
    return inOrder(one.keys[column], other.keys[column]);
  }
  const [mine, its] = [one, other].map((row) => row.cells[column - FIRST]);
  return mine.dataset.rank - its.dataset.rank || inOrder(mine.textContent, its.textContent);
}

function sort(column) {
  const way = NEXT[heads[column].getAttribute("aria-sort")];
  heads.forEach((head, at) => head.setAttribute("aria-sort", at === column ? way : "none"));
  const sign = way === "descending" ? -1 : 1;
  const ordered = [...rows].sort((one, other) => (way === "none" ? 0 : sign * compare(one, other, column)) || one.place - other.place);
  table.append(...ordered.map((row) => row.body));
}

heads.forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sort";
  button.append(...head.childNodes);
  button.addEventListener("click", () => sort(column));
  head.append(button);
  head.setAttribute("aria-sort", "none");
});

/* A link to a row shows that row, whatever is filtered */

function follow() {
  const target = document.getElementById(location.hash.slice(1));
  if (target && target.hidden) {
    tools.reset();
    filter();
    target.scrollIntoView();
  }
}

/* Theme: as the system has it, light, dark; kept where the browser keeps things for files */

const THEMES = ["auto", "light", "dark"];
const themes = document.getElementById("theme");

function show(theme) {
  root.dataset.theme = theme;
  themes.textContent = `Theme: ${theme}`;
}

function kept(theme) {
  try {
    if (theme) {
      localStorage.setItem("landlock-bpf-theme", theme);
    }
    return localStorage.getItem("landlock-bpf-theme");
  } catch {
    return theme;
  }
}

themes.addEventListener("click", () => {
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  kept(theme);
  show(theme);
});
show(THEMES.includes(kept()) ? kept() : "auto");
themes.hidden = false;

tools.addEventListener("input", filter);
tools.addEventListener("reset", () => setTimeout(filter));
tools.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, select") && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    tools.elements.words.focus();
  }
});
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
tools.hidden = false;
filter();
follow();
