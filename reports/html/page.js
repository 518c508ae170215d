// Filters, copying and the way from the matrix to the findings. The page is complete without it.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  document.documentElement.classList.add("scripted");

  // What there is, once: sections hold groups, groups hold chunks, chunks hold findings, a finding may hold folded ones.
  const items = [];
  const read = (element, home) => {
    const [status, severity, category, row] = element.dataset.f.split("|");
    const item = { element, home, status, severity, category, row, text: null, shown: true, below: [] };
    items.push(item);
    for (const folded of element.querySelectorAll(".finding")) {
      item.below.push(read(folded, null));
    }
    return item;
  };
  const sections = [...document.querySelectorAll("#findings .section")].map((section) => ({
    element: section,
    first: section.open,
    groups: [...section.querySelectorAll(":scope > .group")].map((group) => ({
      element: group,
      // A search for the name of a check finds all that stands under it.
      title: group.querySelector(".head h4").textContent + " " + (group.querySelector(".head .id")?.textContent ?? ""),
      chunks: [...group.querySelectorAll(":scope > .chunk")].map((chunk) => ({ element: chunk, members: [] })),
    })),
  }));
  for (const section of sections) {
    for (const group of section.groups) {
      for (const chunk of group.chunks) {
        for (const element of chunk.element.children) {
          chunk.members.push(read(element, group));
        }
      }
    }
  }
  const top = items.filter((item) => item.home !== null);
  const text = (item) => {
    if (item.text === null) {
      const folded = item.below.length > 0 ? item.element.querySelector(".folded").textContent : "";
      const own = item.element.textContent.replace(folded, () => "");
      item.text = `${item.home?.title ?? ""} ${own}`.toLowerCase();
    }
    return item.text;
  };
  // Reading 20,000 texts takes a moment: done while nobody waits.
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(() => work({ timeRemaining: () => 10 }), 50));
  let readUpTo = 0;
  const readAhead = (deadline) => {
    while (readUpTo < items.length && deadline.timeRemaining() > 1) {
      for (const end = Math.min(readUpTo + 100, items.length); readUpTo < end; readUpTo++) {
        text(items[readUpTo]);
      }
    }
    if (readUpTo < items.length) {
      idle(readAhead);
    }
  };
  idle(readAhead);

  const form = byId("filters");
  const query = byId("q");
  const category = byId("category");
  const row = byId("row");
  const tally = byId("tally");
  const chosen = (name) => new Set([...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
  const show = (thing, shown) => {
    if (thing.element.hidden === shown) {
      thing.element.hidden = !shown;
    }
  };

  const apply = () => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const statuses = chosen("status");
    const severities = chosen("severity");
    const active = words.length > 0 || statuses.size > 0 || severities.size > 0 || category.value !== "" || row.value !== "";
    const matches = (item) =>
      (statuses.size === 0 || statuses.has(item.status)) &&
      (severities.size === 0 || severities.has(item.severity)) &&
      (category.value === "" || category.value === item.category) &&
      (row.value === "" || row.value === item.row) &&
      words.every((word) => text(item).includes(word));
    let count = 0;
    for (const section of sections) {
      let inSection = 0;
      for (const group of section.groups) {
        let inGroup = 0;
        for (const chunk of group.chunks) {
          let inChunk = 0;
          for (const item of chunk.members) {
            const own = matches(item);
            const below = item.below.filter(matches).length;
            for (const folded of item.below) {
              show(folded, own || matches(folded));
            }
            if (active && below > 0) {
              item.element.querySelector(".folded").open = true;
            }
            show(item, own || below > 0);
            inChunk += own || below > 0 ? 1 : 0;
            count += (own ? 1 : 0) + below;
          }
          show(chunk, inChunk > 0);
          inGroup += inChunk;
        }
        show(group, inGroup > 0);
        inSection += inGroup;
      }
      show(section, inSection > 0);
      section.element.open = active ? inSection > 0 : section.first;
    }
    byId("none").hidden = count > 0;
    byId("clear").hidden = !active;
    tally.value = active
      ? `${count.toLocaleString("en")} of ${items.length.toLocaleString("en")} findings`
      : `${items.length.toLocaleString("en")} findings`;
  };

  form.hidden = top.length === 0;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => {
    setTimeout(apply);
    query.focus();
  });
  if (top.length > 0) {
    apply();
  }

  const typing = (element) => element.matches("input[type=search], select, textarea");
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target)) {
      event.preventDefault();
      query.focus();
      query.select();
    } else if (event.key === "Escape" && event.target === query && query.value !== "") {
      query.value = "";
      apply();
    }
  });

  const reduced = window.matchMedia("(prefers-reduced-motion: reduce)");
  byId("matrix")?.addEventListener("click", (event) => {
    const cell = event.target.closest("a[data-category]");
    if (cell === null) {
      return;
    }
    event.preventDefault();
    form.reset();
    category.value = cell.dataset.category;
    row.value = cell.closest("tr").dataset.row;
    apply();
    const findings = byId("findings");
    findings.focus({ preventScroll: true });
    findings.scrollIntoView({ behavior: reduced.matches ? "auto" : "smooth" });
  });

  // A link to something folded opens what it is in.
  const unfold = () => {
    const target = location.hash.length > 1 ? byId(location.hash.slice(1)) : null;
    if (target === null) {
      return;
    }
    for (let element = target; element !== null; element = element.parentElement) {
      if (element.tagName === "DETAILS") {
        element.open = true;
      }
    }
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", unfold);
  unfold();

  // The clipboard is there for files and https; elsewhere the old way does.
  const copy = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      return true;
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      return document.execCommand("copy");
    }
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (button === null) {
      return;
    }
    const done = await copy(button.parentElement.querySelector("code"));
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 2000);
  });
})();
