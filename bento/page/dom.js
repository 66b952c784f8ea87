// Elements from code. Text is only ever set as text: nothing that came from the log can become markup.

/** An HTML element with attributes (class, aria-…, on… as functions) and children (elements or text). */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children)
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children)
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children.filter((child) => child !== null && child !== undefined))
  return element
}

export const find = (id) => document.getElementById(id)

/** Set a text only where it differs, so that screen readers and layout are left alone. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text
}

export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches

const probe = h('i', { class: 'hidden' })
let known = new Map()
for (const change of ['themechanged', 'load']) addEventListener(change, () => (known = new Map()))

/** A colour of the theme as it is now, for a canvas. */
export function colour(name) {
  if (!known.has(name)) {
    if (!probe.isConnected) document.body.append(probe)
    probe.style.color = `var(--${name})`
    known.set(name, getComputedStyle(probe).color)
  }
  return known.get(name)
}
