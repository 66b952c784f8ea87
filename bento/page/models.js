// Champion against challenger: how often the next event was in the list of each, and the model in production.

import { find, h } from './dom.js'
import { ago, count, percent, when } from './words.js'

/** The interval that holds a share with 95 % confidence (Wilson 1927). */
function wilson(hits, asked) {
  const z = 1.96
  const [p, more] = [hits / asked, (z * z) / asked]
  const [middle, half] = [p + more / 2, z * Math.sqrt((p * (1 - p) + more / 4) / asked)]
  return [(middle - half) / (1 + more), (middle + half) / (1 + more)]
}

let drawn = ''

/** Show the arms in a window (0, 1, 2) and the model. */
export function show(live, window) {
  const now = JSON.stringify([live.arms, live.model, window, Math.round(live.time_ms / 30_000)])
  if (now === drawn) return
  drawn = now
  const rows = live.arms.filter((arm) => arm.asked[window] > 0)
  const most = Math.min(1, 1.1 * Math.max(...rows.map((arm) => wilson(arm.hits[window], arm.asked[window])[1]), 0.1))
  const spans = ['five minutes', 'hour', 'day']
  find('panel-models').replaceChildren(
    h('h2', {}, 'Whose list had the next event'),
    h('p', { class: 'soft' }, `In the last ${spans[window]}, with 95 % intervals. A list counts once, for the first event after it.`),
    rows.length
      ? h('ul', { class: 'arms' }, ...rows.map((arm) => armed(arm, window, most)))
      : h('p', { class: 'empty' }, 'No list was followed by an event yet.'),
    h('p', { class: 'soft' }, underWay(live.model.experiment)),
    h('h2', {}, 'In production'),
    facts(live),
  )
}

const MODES = { shadow: 'the challenger answers silently', ab: 'each user has an arm' }
const underWay = (one) => (one ? `Experiment ${one.name}: ${MODES[one.mode] || one.mode}.` : 'There is no experiment under way.')

function armed(arm, window, most) {
  const [hits, asked] = [arm.hits[window], arm.asked[window]]
  const [low, high] = wilson(hits, asked)
  const [whisker, dot] = [h('i', { class: 'whisker' }), h('i', { class: 'dot' })]
  whisker.style.left = `${(100 * low) / most}%`
  whisker.style.width = `${(100 * (high - low)) / most}%`
  dot.style.left = `${(100 * hits) / asked / most}%`
  return h('li', { class: arm.arm },
    h('b', {}, arm.arm), h('span', { class: 'figure' }, percent(hits / asked)),
    h('span', { class: 'strip', 'aria-hidden': 'true' }, whisker, dot),
    h('small', {}, `${count(hits)} of ${count(asked)}; ${percent(low)} to ${percent(high)}`))
}

function facts({ model, time_ms: now, started_ms: started }) {
  const rows = [['Model', `${model.name || '–'}, promotion ${model.version ?? '–'}`], ['Since', model.since ? `${when(Date.parse(model.since))} (${ago(Date.parse(model.since), now)})` : '–'], ['Digest', model.digest || '–']]
  if (model.previous) rows.push(['Before it', `${model.previous.name}, promotion ${model.previous.version}`])
  if (model.refused) rows.push(['Refused', model.refused])
  rows.push(['Counting', `since ${when(started)}`])
  return h('dl', {}, ...rows.flatMap(([term, fact]) => [h('dt', {}, term), h('dd', {}, fact)]))
}
