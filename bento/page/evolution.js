// How behaviour evolves: the newest report of `chronotope evolve` in short. Asked when the tab is opened, and again while
// it stays open; a report is of many users together, so nobody is named here.

import { ask } from './api.js'
import { bars, part } from './bars.js'
import { find, h, s } from './dom.js'
import { count, many, percent, plain } from './words.js'

const AGAIN_MS = 300_000
const LISTED = 5
const [WIDTH, HEIGHT, FOOT] = [300, 84, 14]
const STATES = { new: 'new', active: 'active', lapsing: 'drifting off', dormant: 'asleep', churned: 'gone', returning: 'back again' }
const short = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
const weekday = new Intl.DateTimeFormat('en-GB', { weekday: 'short', timeZone: 'UTC' })
let [due, drawn] = [0, '']

addEventListener('keychanged', () => !find('panel-evolution').hidden && show())

const dated = (text) => new Date(`${text.slice(0, 10)}T00:00:00Z`)
const day = (text) => short.format(dated(text))
const dayOfYear = (text) => `${day(text)} ${text.slice(0, 4)}`
const span = (one) => (one.first === one.last ? dayOfYear(one.first) : `${day(one.first)} to ${dayOfYear(one.last)}`)

/** Begin to ask, or stop: whether the panel is seen. */
export function seen(on) {
  clearInterval(due)
  if (!on) return
  due = setInterval(show, AGAIN_MS)
  show()
}

/** Ask for the newest report and show it. */
async function show() {
  const panel = find('panel-evolution')
  if (!panel.childElementCount) panel.append(h('p', { class: 'soft', role: 'status' }, 'Asking for the newest report …'))
  try {
    const report = await ask('v1/evolution')
    const now = JSON.stringify(report)
    if (now !== drawn) panel.replaceChildren(...page(report))
    drawn = now
  } catch (error) {
    drawn = ''
    panel.replaceChildren(h('div', { class: 'empty', role: error.status === 404 ? null : 'alert' },
      h('p', {}, error.status === 404 ? 'There is no report yet.' : `The report cannot be shown: ${error.message}.`),
      error.status === 404 ? h('p', { class: 'soft' }, 'Run ', h('code', {}, 'chronotope evolve'), ', or let its flow run on schedule: what changes, what is unusual and what comes next is told here.') : null))
  }
}

function page(report) {
  const { log, forecasts, states, unusual, patterns, profiles, hot_spots: spots, changed } = report
  const days = forecasts.find((one) => one.step === 'day' && one.by === 'all')
  return [
    h('h2', {}, 'How behaviour evolves'),
    h('p', { class: 'soft' }, `Report ${report.number}: ${many(log.users, 'user')}, ${dayOfYear(log.first)} to ${dayOfYear(log.last)}.`),
    changed.length ? part('Changed since the report before', [h('ul', { class: 'told' }, ...changed.slice(0, LISTED).map((one) => h('li', { title: one.known }, one.text)))]) : null,
    days ? part('Events a day to come', [fan(days), spoken(days)]) : null,
    states ? part('States of life', lives(states)) : null,
    unusual.length ? part('Unusual days', [h('ul', { class: 'told' }, ...apart(unusual).slice(0, LISTED).map(strange))]) : null,
    patterns.length ? part('What recurs', [h('ul', { class: 'told' }, ...patterns.slice(0, LISTED).map(recurs))]) : null,
    profiles.some(told) ? part('Kinds of users', [h('ul', { class: 'told' }, ...profiles.filter(told).sort((a, b) => b.users - a.users).slice(0, LISTED).map(alike))]) : null,
    spots.length ? part('Places', [h('p', {}, spotted(spots))]) : null,
  ].filter((one) => one !== null)
}

/** The forecast as a line in its interval, from zero, so that a rise is as large as it looks. */
function fan({ begins, point, low, high }) {
  const most = Math.max(...high, 1e-9)
  const x = (i) => (WIDTH * (i + 0.5)) / point.length
  const y = (n) => 2 + (HEIGHT - FOOT - 4) * (1 - Math.max(n, 0) / most)
  const along = (values) => values.map((n, i) => `${x(i).toFixed(1)} ${y(n).toFixed(1)}`)
  const band = [...along(high), ...along(low).reverse()]
  const picture = s('svg', { class: 'fan', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, 'aria-hidden': 'true' },
    s('line', { class: 'foot', x1: 0, x2: WIDTH, y1: y(0), y2: y(0) }),
    s('path', { class: 'under', d: `M${band.join('L')}Z` }),
    s('path', { class: 'over', d: `M${along(point).join('L')}` }))
  begins.forEach((text, i) => picture.append(s('text', { x: x(i), y: HEIGHT - 2 }, weekday.format(dated(text)))))
  return picture
}

/** The same in words. */
function spoken({ begins, point, low, high, interval }) {
  const at = point.indexOf(Math.max(...point))
  const whole = (n) => count(Math.round(n))
  return h('p', { class: 'soft' }, `${whole(point[0])} on ${day(begins[0])} (${percent(interval)} between ${whole(low[0])} and ${whole(high[0])}); most on ${day(begins[at])}, ${whole(point[at])}.`)
}

function lives({ now, forecast }) {
  const last = forecast.at(-1)?.moment
  const then = new Map(forecast.filter((one) => one.moment === last).map((one) => [one.state, one.users]))
  const told = now.filter((one) => one.share !== null)
  const row = ({ state, users, share }) => {
    const by = then.get(state)
    return [STATES[state] || plain(state), share, by === null || by === undefined ? '' : `${by > users ? '↑' : by < users ? '↓' : '='} ${count(Math.round(by))}`]
  }
  return [...bars(told.map(row)), last ? h('p', { class: 'soft' }, `Arrows: users in that state on ${day(last)}, as it is forecast.`) : null].filter(Boolean)
}

const who = ({ by, value }) => (by === 'all' ? 'all events' : `${by} ${plain(value)}`)
/** Each span of days once, as the series that tells it best saw it. */
const apart = (unusual) => unusual.filter((one, i) => unusual.findIndex((other) => other.first === one.first && other.last === one.last) === i)
const strange = (one) => h('li', {}, h('b', {}, span(one)), ` ${who(one)}: ${count(Math.round(one.actual))} instead of ${count(Math.round(one.usual))}`)
const recurs = (one) => h('li', {}, h('b', {}, one.name), ` ${one.when}; ${many(one.users, 'user')}, ${one.ratio.toFixed(1)} times what chance would bring`)

const told = (one) => one.users && (one.what || one.when)
const alike = (one) => h('li', {}, h('b', {}, many(one.users, 'user')), ' more ', [one.what && plain(one.what), one.when && `on ${one.when}`].filter(Boolean).join(' and '), ' than all')

function spotted(spots) {
  const hot = spots.filter((one) => one.kind === 'hot')
  const fresh = hot.filter((one) => one.class === 'new').length
  return `${many(hot.length, 'hot spot')}${fresh ? `, ${count(fresh)} of them new` : ''}; ${many(spots.length - hot.length, 'cold spot')}.`
}
