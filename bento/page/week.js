// The week: events by weekday and hour of the users' own clocks, and what they are about. For logs without places it
// stands where the map would.

import { find, h } from './dom.js'
import { legend, scale } from './scale.js'
import { count, many } from './words.js'

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
let drawn = ''

export function show(live, window) {
  const now = JSON.stringify([live.hours, live.categories, window, document.documentElement.dataset.theme])
  if (now === drawn) return
  drawn = now
  const n = (day, hour) => live.hours[24 * day + hour]?.[window] || 0
  const most = Math.max(...Object.values(live.hours).map((counts) => counts[window]), 1)
  const colours = scale(most)
  const head = h('tr', {}, h('td', {}), ...Array.from({ length: 24 }, (_, hour) => h('th', { scope: 'col' }, String(hour))))
  const rows = DAYS.map((day, number) => h('tr', {}, h('th', { scope: 'row' }, day), ...Array.from({ length: 24 }, (_, hour) => {
    const events = n(number, hour)
    const cell = h('td', { title: `${day} ${hour}:00, ${many(events, 'event')}` }, h('span', {}, count(events)))
    if (events) {
      cell.style.background = colours.of(events)
      cell.className = 'some'
    }
    return cell
  })))
  find('week').replaceChildren(
    h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Events by weekday and hour' },
      h('table', { class: 'heat' }, h('caption', { class: 'hidden' }, 'Events by weekday and hour, local time'), h('thead', {}, head), h('tbody', {}, ...rows))),
    about(live, window))
}

function about(live, window) {
  const rows = Object.entries(live.categories).map(([name, counts]) => [name, counts[window]]).filter((row) => row[1]).sort((a, b) => b[1] - a[1]).slice(0, 10)
  if (!rows.length) return h('p', { class: 'soft' }, 'No event of this window has a category.')
  return h('div', {}, h('h3', {}, 'What it is about'), h('ul', { class: 'bars' }, ...rows.map(([name, n]) => {
    const inner = h('i', {})
    inner.style.width = `${(100 * n) / rows[0][1]}%`
    return h('li', {}, h('span', {}, name), h('span', { class: 'bar', 'aria-hidden': 'true' }, inner), h('span', { class: 'figure' }, count(n)))
  })))
}

/** The legend of the heat map. */
export const key = (live, window) => legend(Math.max(...Object.values(live.hours).map((counts) => counts[window]), 1), 'Events of an hour of the week')
