// One user: what comes next and why, when, and what was before. Asked anew as soon as they do something.

import { ask } from './api.js'
import { bar, bars, part } from './bars.js'
import { find, h } from './dom.js'
import * as map from './map.js'
import { named } from './stream.js'
import { ago, day, many, percent, plain, span, when } from './words.js'

const SHOWN = 8
const EXPLAINED = 3
const TIMELINE = 60
const LISTED = 12
const CELL = /^[0-9a-f]{15}$/ // of H3; a model may have places of another kind, which no map shows
const STATES = {
  new: 'new here', active: 'active', lapsing: 'drifting off', dormant: 'asleep', churned: 'gone', returning: 'back again', absent: 'not seen yet',
}
let stop = new AbortController()
let current = null
let due = 0

export const who = () => current

/** Show a user; `live` is the snapshot, `just` the event that made us ask again. */
export async function open(user, live, just = null) {
  stop.abort()
  stop = new AbortController()
  const fresh = user !== current
  current = user
  const panel = find('panel-user')
  if (fresh) panel.replaceChildren(h('p', { class: 'soft', role: 'status' }, `Asking about ${user} …`))
  panel.setAttribute('aria-busy', 'true')
  const question = { user_id: user, k: SHOWN, shown: false, ...moment(live) }
  const path = `v1/users/${encodeURIComponent(user)}`
  try {
    const [answer, past, journey] = await Promise.all([
      ask('v1/predict', question, stop.signal),
      ask(`${path}/timeline?n=${TIMELINE}`, undefined, stop.signal),
      ask(`${path}/journey${question.time ? `?time=${question.time}` : ''}`, undefined, stop.signal),
    ])
    const events = past.events.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time))
    const now = question.time ? Date.parse(question.time) : live.time_ms
    const reasons = fresh ? new Map() : open.reasons
    const held = panel.contains(document.activeElement) ? document.activeElement.id : ''
    panel.replaceChildren(...page(user, answer, events, journey, reasons, now, just))
    if (held) find(held)?.focus({ preventScroll: true })
    await onMap(answer, events)
    const why = answer.items.length ? await ask('v1/explain', { ...question, k: EXPLAINED }, stop.signal) : { items: [] }
    open.reasons = new Map(why.items.map((item) => [item.item_id, item.sentences]))
    panel.querySelectorAll('[data-why]').forEach((place, i) => place.replaceChildren(...sentences(open.reasons.get(place.dataset.why), i === 0)))
  } catch (error) {
    if (error.name === 'AbortError') return
    if (fresh) panel.replaceChildren(h('p', { class: 'empty', role: 'alert' }, `${user} cannot be shown: ${error.message}.`))
  } finally {
    if (current === user) panel.removeAttribute('aria-busy')
  }
}
open.reasons = new Map()

/** Ask again when the user who is shown has acted. */
export function acted(events, live) {
  const mine = events.filter((event) => event.user === current)
  if (!mine.length) return
  clearTimeout(due)
  due = setTimeout(() => open(current, live(), mine.at(-1)), 300)
}

/** A log that is replayed has a clock of its own: questions are asked at its time. */
function moment(live) {
  return live.behind_ms > 3_600_000 ? { time: new Date(live.event_ms).toISOString() } : {}
}

async function onMap(answer, events) {
  const path = events.filter((event) => event.latitude !== null && event.latitude !== undefined).slice(-40)
  const places = (answer.places || []).filter((place) => CELL.test(place.cell))
  const { shapes } = places.length ? await ask(`v1/cells/${places.map((place) => place.cell).join()}`, undefined, stop.signal) : {}
  map.person({ path, next: places.map((place) => ({ shape: shapes[place.cell], p: place.probability })) })
}

/** Leave the user. */
export function close() {
  stop.abort()
  current = null
  map.person(null)
  empty()
}

/** What the panel says before anybody was chosen. */
export function empty() {
  find('panel-user').replaceChildren(h('div', { class: 'empty' },
    h('p', {}, 'Nobody is chosen yet.'),
    h('p', { class: 'soft' }, 'Type a user’s id into the search box (press / to get there), or choose one in the stream. You will see what comes next, when, where and why.')))
}

function page(user, answer, events, journey, reasons, now, just) {
  const standing = journey.state || answer.segment
  const state = STATES[standing] || standing
  const last = events.length ? Date.parse(events.at(-1).time) : null
  return [
    h('div', { class: 'person' },
      h('h2', { id: 'user-title', tabindex: '-1' }, user),
      state ? h('span', { class: `mark ${standing}` }, state) : null,
      h('button', { type: 'button', id: 'leave', 'aria-label': 'Leave this user', onclick: close }, '×')),
    h('p', { class: 'soft' }, last ? `${many(answer.history_events, 'event')}, the last ${ago(last, now)}` : 'No event of this user is known: what you see is what is popular.'),
    just ? h('p', { class: 'just', role: 'status' }, `Just now: ${plain(just.action)}, ${named(just)}.${verdict(just)}`) : null,
    part('Next', next(answer, reasons)),
    answer.next_event ? part('When', times(answer.next_event)) : null,
    answer.actions ? part('What', bars(Object.entries(answer.actions).map(([name, p]) => [plain(name), p]).sort((a, b) => b[1] - a[1]).slice(0, 5))) : null,
    answer.places?.length ? part('Where', [h('p', { class: 'soft' }, `Marked on the map: ${many(answer.places.length, 'place')}, the likeliest with ${percent(answer.places[0].probability)}.`)]) : null,
    journey.interests?.length ? part('Cares about', bars(journey.interests.slice(0, 5).map((one) => [one.category, one.share, change(one.change)]))) : null,
    part('So far', past(events)),
  ].filter((one) => one !== null)
}

const verdict = (just) => (just.rank > 0 ? ` The list had it in place ${just.rank}.` : just.rank === 0 ? ' The list did not have it.' : '')
const change = (by) => (Math.abs(by) < 0.02 ? '' : by > 0 ? `↑ ${percent(by)}` : `↓ ${percent(-by)}`)

const sentences = (texts, first) => (texts || []).slice(0, first ? 2 : 1).map((text) => h('span', {}, `${text} `))

function next(answer, reasons) {
  if (!answer.items.length) return [h('p', { class: 'empty' }, 'The model has nothing to offer here.')]
  const most = answer.items[0].probability
  return [h('ol', { class: 'next' }, ...answer.items.map((item, i) => h('li', {},
    h('span', {}, h('b', {}, item.title || item.item_id), item.category ? h('small', {}, ` ${item.category}`) : null),
    h('span', { class: 'figure' }, percent(item.probability)),
    bar(item.probability, most),
    i < EXPLAINED ? h('p', { class: 'why', 'data-why': item.item_id }, ...sentences(reasons.get(item.item_id), i === 0)) : null)))]
}

function times(next) {
  const { p10, p50, p90 } = next.quantiles_s
  return [
    h('p', {}, `About ${span(p50)} after the last event; four times of five between ${span(p10)} and ${span(p90)}.`),
    ...bars([['within an hour', next.from_now['1h']], ['within a day', next.from_now['1d']], ['within a week', next.from_now['7d']]].filter((row) => row[1] !== undefined)),
  ]
}

function past(events) {
  if (!events.length) return [h('p', { class: 'soft' }, 'Nothing yet.')]
  return [h('ol', { class: 'past' }, ...events.slice(-LISTED).reverse().map((event) => h('li', {},
    h('time', { datetime: event.time, title: when(Date.parse(event.time)) }, day(Date.parse(event.time))),
    h('span', {}, h('b', {}, event.title || event.item_id || 'no item'), h('small', {}, ` ${[event.action && plain(event.action), event.category].filter(Boolean).join(' · ')}`), event.offset ? h('span', { class: 'mark live' }, 'live') : null))))]
}
