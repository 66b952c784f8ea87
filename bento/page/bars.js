// Shares as bars beside their names, and the part of a panel that they stand in.

import { h } from './dom.js'
import { percent } from './words.js'

/** A titled part of a panel. */
export const part = (title, content) => h('section', { class: 'part' }, h('h3', {}, title), ...content)

/** A share as a length of `most`. */
export function bar(p, most) {
  const inner = h('i', {})
  inner.style.width = `${Math.max((100 * p) / most, 0.6)}%`
  return h('span', { class: 'bar', 'aria-hidden': 'true' }, inner)
}

/** Rows of [name, share, what else is said] as a list of lengths. */
export function bars(rows) {
  const most = Math.max(...rows.map((row) => row[1]), 1e-9)
  return [h('ul', { class: rows.some((row) => row[2]) ? 'bars more' : 'bars' }, ...rows.map(([name, p, more]) => h('li', {}, h('span', {}, name), bar(p, most), h('span', { class: 'figure' }, percent(p), more ? h('small', {}, more) : null))))]
}
