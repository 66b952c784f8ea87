// The key figures with their last five minutes as a line.

import { find, h, s, say } from './dom.js'
import { total } from './live.js'
import { ago, bytes, count, many, milliseconds, percent, rate } from './words.js'

const WIDTH = 120
const HEIGHT = 30

/** A line of numbers, oldest first; null leaves a gap. */
export function line(series, filled) {
  const most = Math.max(...series.filter((n) => n !== null), 1e-9)
  const at = (n, i) => `${((i * WIDTH) / (series.length - 1)).toFixed(1)} ${(HEIGHT - 2 - ((HEIGHT - 4) * n) / most).toFixed(1)}`
  const strokes = []
  let run = []
  const close = () => {
    if (run.length === 1) run.push(run[0])
    if (run.length) strokes.push(run)
    run = []
  }
  series.forEach((n, i) => (n === null ? close() : run.push(at(n, i))))
  close()
  const picture = s('svg', { class: 'line', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' })
  for (const points of strokes) {
    const [first, last] = [points[0].split(' ')[0], points.at(-1).split(' ')[0]]
    if (filled) picture.append(s('path', { class: 'under', d: `M${first} ${HEIGHT}L${points.join('L')}L${last} ${HEIGHT}Z` }))
    picture.append(s('path', { class: 'over', d: `M${points.join('L')}`, 'vector-effect': 'non-scaling-stroke' }))
  }
  return picture
}

/** Hits of an arm over its lists: the newest window that has at least `least` of them, else the longest. */
function share(arm, least = 30) {
  const window = arm ? [0, 1, 2].find((one) => arm.asked[one] >= least) ?? 2 : 2
  return { window, asked: arm?.asked[window] || 0, hits: arm?.hits[window] || 0 }
}

const SPANS = ['5 minutes', 'an hour', 'a day']
const TILES = {
  rate: ['Events per second', (live) => [rate(live.rate.per_s), `${count(total(live, 1))} in the last hour`, live.rate.series, true]],
  fresh: ['From receipt to effect', ({ freshness_ms: f }) => [milliseconds(f.p50), f.n ? `99 of 100 within ${milliseconds(f.p99)}` : 'nothing came in yet', f.series]],
  answers: ['Time of an answer', ({ latency_ms: l }) => [milliseconds(l.p50), l.n ? `99 of 100 within ${milliseconds(l.p99)}` : 'nothing was asked yet', l.series]],
  hits: ['Next event was in the list', (live) => {
    const { window, asked, hits } = share(live.arms.find((arm) => arm.arm === 'champion'))
    return [asked ? percent(hits / asked) : '–', asked ? `of ${count(asked)} in ${SPANS[window]}` : 'no list had an event after it']
  }],
  model: ['Model in production', ({ model, time_ms: now }) => [model.name ? `${plainName(model.name)} v${model.version}` : '–', model.since ? `since ${ago(Date.parse(model.since), now)}` : '']],
  state: ['Followed live', ({ state, new_items: fresh }) => [many(state.users, 'user'), fresh.count ? `${many(state.records, 'record')}, ${many(fresh.count, 'new item')}` : `${many(state.records, 'record')}, ${bytes(state.bytes)}`]],
}
const plainName = (name) => name.replaceAll('_', ' ')
const made = {}

/** Lay the tiles out, empty. */
export function begin() {
  for (const [key, [title]] of Object.entries(TILES)) {
    made[key] = { value: h('strong', {}, '–'), note: h('small', {}), picture: h('div', { class: 'picture' }), drawn: '' }
    const { value, note, picture } = made[key]
    find('figures').append(h('div', { class: 'tile', id: `tile-${key}` }, h('h2', {}, title), value, picture, note))
  }
}

export function show(live) {
  for (const [key, [, tell]] of Object.entries(TILES)) {
    const [value, note, series, filled] = tell(live)
    const tile = made[key]
    say(tile.value, value)
    say(tile.note, note)
    if (!series || tile.drawn === series.join()) continue
    tile.drawn = series.join()
    tile.picture.replaceChildren(line(series, filled))
  }
}
