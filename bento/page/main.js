// The live page: follows the stream, hands what came to each part, and wires the controls. No part knows another but
// through what is handed to it here.

import { ask, follow, heldKey, holdKey } from './api.js'
import { calm, find, h, say } from './dom.js'
import { applied, corners, total } from './live.js'
import * as evolution from './evolution.js'
import * as map from './map.js'
import * as models from './models.js'
import { isDark, legend } from './scale.js'
import * as stream from './stream.js'
import * as tiles from './tiles.js'
import * as user from './user.js'
import * as week from './week.js'
import { count, plain, when } from './words.js'

const TABS = ['stream', 'user', 'models', 'evolution']
let live = null
let pending = false
const chosen = { window: 2, action: null, view: 'map', byHand: false }

function told(name, data) {
  let [fresh, skipped] = [[], 0]
  if (name === 'snapshot') {
    const before = live ? Math.max(...live.newest.map((event) => event.n), 0) : 0
    const again = live && live.started_ms === data.started_ms
    live = data
    fresh = again ? data.newest.filter((event) => event.n > before) : data.newest
    ask('v1/live/places').then((answer) => map.places(answer.places)).catch(() => {})
  } else ({ next: live, fresh, skipped } = applied(live, data))
  stream.forget(data.gone || [])
  stream.show(fresh, skipped, live)
  user.acted(fresh, () => live)
  draw()
  if (name !== 'snapshot') for (const event of fresh) if (event.cell) map.ripple(event.cell)
}

function draw() {
  if (pending || !live) return
  pending = true
  requestAnimationFrame(() => {
    pending = false
    tiles.show(live)
    models.show(live, chosen.window)
    clocks()
    actions()
    where()
  })
}

function where() {
  const placed = Object.keys(live.map.cells).length > 0
  if (!chosen.byHand) choose('view', placed || !total(live, 2) ? 'map' : 'week')
  const onMap = chosen.view === 'map'
  find('map').hidden = !onMap
  find('week').hidden = onMap
  find('action').disabled = !onMap // the week counts all actions together
  find('places').hidden = !onMap || !placed
  say(find('where-title'), onMap ? 'Where it happens' : 'When it happens')
  find('legend').hidden = false
  if (!onMap) {
    week.show(live, chosen.window)
    keyed(() => week.key(live, chosen.window))
    return
  }
  const { cells, most } = map.show(live, chosen.window, chosen.action)
  find('legend').hidden = !cells.length && !map.personal()
  keyed(() => (map.personal() ? ownKey() : legend(most, 'Events of a place')))
  const empty = find('map-empty')
  empty.hidden = cells.length > 0
  say(empty, !total(live, 2) ? 'Nothing has come in during the last day. Send events to /v1/events, or replay a log, and watch.'
    : placed ? 'Nothing of this kind in this window.' : 'The events of this log have no place: the week shows when they happen.')
  table(cells)
}

/** What the marks of one user mean. */
const ownKey = () => h('ul', { class: 'own' }, ...[['path', 'where they were, the newest largest'], ['next', 'where they are likely to be next'], ['others', 'everybody']]
  .map(([name, text]) => h('li', {}, h('i', { class: name, 'aria-hidden': 'true' }), text)))

let keyNow = ''
function keyed(make) {
  const made = make()
  const now = made.textContent + isDark()
  if (now !== keyNow) find('legend').replaceChildren(made)
  keyNow = now
}

function table(cells) {
  if (!find('places').open) return
  const rows = cells.slice(0, 10).map((one) => {
    const [latitude, longitude] = corners(live.map.shapes[one.cell])[0]
    const what = one.rows.filter((row) => row[1 + chosen.window]).map((row) => `${plain(live.actions[row[0]])} ${count(row[1 + chosen.window])}`)
    return h('tr', {}, h('th', { scope: 'row' }, `${latitude.toFixed(3)}, ${longitude.toFixed(3)}`), h('td', {}, count(one.n)), h('td', {}, what.join(', ')))
  })
  find('places').lastElementChild.replaceChildren(h('table', {}, h('thead', {}, h('tr', {}, ...['Latitude, longitude', 'Events', 'Of which'].map((name) => h('th', { scope: 'col' }, name)))), h('tbody', {}, ...rows)))
}

let [paceFrom, paceMs] = [null, null]
function clocks() {
  const replayed = live.behind_ms > 3_600_000 && live.event_ms
  if (!replayed) {
    say(find('clock'), '')
    return
  }
  if (paceFrom === null) paceFrom = [live.time_ms, live.event_ms]
  if (live.time_ms - paceFrom[0] > 8000) {
    paceMs = (live.event_ms - paceFrom[1]) / (live.time_ms - paceFrom[0])
    paceFrom = [live.time_ms, live.event_ms]
  }
  const pace = paceMs > 1.5 ? `, ${count(Math.round(paceMs))} times as fast` : ''
  say(find('clock'), `The log’s clock: ${when(live.event_ms)}${pace}`)
}

function actions() {
  const select = find('action')
  const names = live.actions.filter((name) => live.events[name])
  if (select.options.length - 1 === names.length) return
  select.replaceChildren(h('option', { value: '' }, 'All actions'), ...names.map((name) => h('option', { value: name }, plain(name))))
  select.value = chosen.action === null ? '' : live.actions[chosen.action]
}

function choose(name, value) {
  chosen[name] = value
  find(name).querySelector(`[value="${value}"]`).checked = true
}

function tab(name, focus = false) {
  for (const one of TABS) {
    const [button, on] = [find(`tab-${one}`), one === name]
    button.setAttribute('aria-selected', String(on))
    button.tabIndex = on ? 0 : -1
    find(`panel-${one}`).hidden = !on
    if (on && focus) button.focus()
  }
  evolution.seen(name === 'evolution')
}

async function show(id) {
  tab('user')
  await user.open(id, live || { behind_ms: 0, time_ms: Date.now() })
  find('user-title')?.focus({ preventScroll: true })
  if (matchMedia('(max-width: 860px)').matches) find('side').scrollIntoView({ behavior: calm() ? 'auto' : 'smooth' })
}

function connected(word, refusal) {
  document.documentElement.dataset.state = word
  say(find('state'), word === 'live' ? 'Live' : 'Not connected, trying again')
  const trouble = find('trouble')
  trouble.hidden = !refusal || refusal.status === 0
  const scope = refusal?.status === 403 ? 'This key may not read: ask for one with the scope read.' : refusal?.message
  if (refusal) say(trouble, refusal.status === 401 ? (heldKey() ? 'The service does not know this key.' : 'This service answers with an API key.') : `${scope}`)
  if (refusal?.status === 401 && !find('asking').open) find('asking').showModal()
}

function controls() {
  for (const name of ['view', 'window']) {
    find(name).addEventListener('change', (event) => {
      chosen[name] = name === 'window' ? Number(event.target.value) : event.target.value
      if (name === 'view') chosen.byHand = true
      draw()
    })
  }
  find('action').addEventListener('change', (event) => {
    chosen.action = event.target.value ? live.actions.indexOf(event.target.value) : null
    draw()
  })
  find('places').addEventListener('toggle', draw)
  find('find').addEventListener('submit', (event) => {
    event.preventDefault()
    const id = find('who').value.trim()
    if (id) show(id)
  })
  addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.target.closest('input, select, textarea, dialog')) return
    event.preventDefault()
    find('who').focus()
    find('who').select()
  })
  const list = document.querySelector('[role=tablist]')
  list.addEventListener('click', (event) => event.target.id?.startsWith('tab-') && tab(event.target.id.slice(4)))
  list.addEventListener('keydown', (event) => {
    const at = TABS.indexOf(event.target.id.slice(4))
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    tab(TABS[(to + TABS.length) % TABS.length], true)
  })
}

function theme() {
  const button = find('theme')
  const held = localStorage.getItem('chronotope-theme')
  if (held) document.documentElement.dataset.theme = held
  const tell = () => {
    button.setAttribute('aria-pressed', String(isDark()))
    dispatchEvent(new Event('themechanged'))
    keyNow = ''
    draw()
  }
  button.addEventListener('click', () => {
    document.documentElement.dataset.theme = isDark() ? 'light' : 'dark'
    localStorage.setItem('chronotope-theme', document.documentElement.dataset.theme)
    tell()
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', tell)
  tell()
}

function key() {
  const dialog = find('asking')
  find('key').addEventListener('click', () => dialog.showModal())
  dialog.addEventListener('close', () => {
    if (dialog.returnValue === 'keep') {
      holdKey(find('secret').value.trim())
      dispatchEvent(new Event('keychanged'))
    }
    find('secret').value = ''
    dialog.returnValue = ''
  })
}

tiles.begin()
stream.begin(show)
user.empty()
controls()
key()
theme()
map.begin()
follow(told, connected)
