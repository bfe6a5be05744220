// Writes each message into a frame of each width and colour scheme, and notes what somebody sees there.
"use strict";

const TOLERANCE = 0.75; // CSS pixels: boxes are laid out in fractions of one

function textNodes(page) {
  const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (data.trim() && parentElement.tagName !== "SCRIPT") found.push(walker.currentNode);
  }
  return found;
}

function boxesOf(page, node) {
  const range = page.createRange();
  range.selectNodeContents(node);
  return [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
}

function channels(colour) {
  const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
  return { parts: [red, green, blue], alpha };
}

// Relative luminance and contrast ratio as WCAG 2.2 defines them.
function luminance(colour) {
  const [red, green, blue] = channels(colour).parts.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function backgroundOf(page, element, canvas) {
  for (let at = element; at; at = at.parentElement) {
    const colour = page.defaultView.getComputedStyle(at).backgroundColor;
    if (channels(colour).alpha > 0) return colour;
  }
  return canvas;
}

function canvasOf(page) {
  const probe = page.createElement("i");
  probe.style.color = "Canvas";
  page.body.append(probe);
  const colour = page.defaultView.getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

function overlapping(boxes) {
  const wrong = [];
  boxes.forEach((one, n) => {
    for (const other of boxes.slice(n + 1)) {
      const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (one.node !== other.node && wide > TOLERANCE && high > TOLERANCE) {
        wrong.push(`${one.node.data.trim()} | ${other.node.data.trim()}`);
      }
    }
  });
  return wrong;
}

function seen(page, width) {
  const nodes = textNodes(page);
  const boxes = nodes.flatMap((node) =>
    boxesOf(page, node).map(({ left, right, top, bottom }) => ({ node, left, right, top, bottom })));
  const canvas = canvasOf(page);
  const outside = boxes.filter((box) => box.left < -TOLERANCE || box.right > width + TOLERANCE || box.top < -TOLERANCE);
  const covered = boxes.filter((box) => {
    const found = page.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
    return !found || !found.contains(box.node);
  });
  const unseen = nodes.filter((node) => !boxes.some((box) => box.node === node));
  const contrasts = nodes.map((node) => {
    const style = page.defaultView.getComputedStyle(node.parentElement);
    return contrast(style.color, backgroundOf(page, node.parentElement, canvas));
  });
  return {
    lines: page.body.innerText.split("\n").map((line) => line.trim()).filter(Boolean).slice(0, 3),
    scrolls: page.documentElement.scrollWidth - width,
    cut: [...outside, ...covered].map((box) => box.node.data.trim()).concat(unseen.map((node) => node.data.trim())),
    overlapping: overlapping(boxes),
    contrast: Math.min(...contrasts),
    canvas,
  };
}

// `views`: [width, scheme] each. A frame takes its colour scheme from the element that it stands in.
function look(messages, views) {
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.style.cssText = "border:0;height:4000px";
  const found = [];
  for (const [width, scheme] of views) {
    frame.style.width = `${width}px`;
    frame.style.colorScheme = scheme;
    messages.forEach((html, n) => {
      const page = frame.contentDocument;
      page.open();
      page.write(html);
      page.close();
      found.push({ message: n, width, scheme, ...seen(page, width) });
    });
  }
  frame.remove();
  const report = document.body.appendChild(document.createElement("pre"));
  report.id = "found";
  report.textContent = JSON.stringify(found);
}
