// The map: hexagons by how much happens in them, what one user did and is likely to do, ripples where something happens
// just now. Moved by mouse, touch and keyboard; it fits itself to the events until somebody moves it.

import { calm, colour, find, h, say } from './dom.js'
import * as ground from './ground.js'
import { listen } from './hands.js'
import { corners, perCell } from './live.js'
import { isDark, scale } from './scale.js'
import { count, many, percent, plain } from './words.js'
import { View, world } from './view.js'

const RIPPLE_MS = 1100
const view = new View()
const [base, top, tip] = [find('ground'), find('cells'), find('tip')]
const drawn = { lines: null, places: [], cells: [], most: 1, user: null, ripples: [], chosen: -1, names: [] }
let pending = 0
let groundStale = true

/** Load the outlines; the map works without them. */
export async function begin() {
  new ResizeObserver(sized).observe(top)
  listen(top, view, { redraw: () => redraw(true), refit, walk, hint, still: () => { tip.hidden = true }, leave })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw(true))
  addEventListener('themechanged', () => redraw(true))
  const answer = await fetch('page/outlines/world.json')
  if (answer.ok) drawn.lines = ground.paths(await answer.json())
  redraw(true)
}

/** Places of the catalogue, [latitude, longitude, …] in 1e-4 degrees: dots that let a city be seen. */
export function places(flat) {
  drawn.places = []
  for (let i = 0; i < flat.length; i += 2) drawn.places.push(world(flat[i] / 1e4, flat[i + 1] / 1e4))
  if (!view.byHand) fit(false)
  redraw(true)
}

/** Show the counts of a window and an action; the highest count of a cell. */
export function show(snapshot, window, action) {
  drawn.names = snapshot.actions
  const counts = [...perCell(snapshot, window, action)].sort((a, b) => b[1] - a[1])
  drawn.cells = counts.map(([cell, n]) => ({ cell, n, rows: snapshot.map.cells[cell], ...placed(snapshot.map.shapes[cell]) }))
  drawn.window = window
  drawn.most = counts.length ? counts[0][1] : 1
  if (drawn.chosen >= drawn.cells.length) drawn.chosen = -1
  if (!view.byHand) fit(false)
  redraw()
  return drawn
}

/** Whether one user is shown. */
export const personal = () => drawn.user !== null

/** Show one user: `path` of {latitude, longitude}, newest last, `next` of {shape, p}; null: nobody. */
export function person(user) {
  drawn.user = user && {
    path: user.path.map((one) => world(one.latitude, one.longitude)),
    next: user.next.map(({ shape, p }) => ({ p, ...placed(shape) })),
  }
  if (drawn.user && drawn.user.path.length) fit(true)
  redraw()
}

/** A ripple where an event of a cell has just happened. */
export function ripple(cell) {
  const known = drawn.cells.find((one) => one.cell === cell)
  if (!known || calm()) return
  drawn.ripples = [...drawn.ripples.slice(-40), { at: known.centre, start: performance.now() }]
  redraw()
}

function placed(shape) {
  const points = corners(shape).map(([latitude, longitude]) => world(latitude, longitude))
  const mean = (axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length
  return { points, centre: [mean(0), mean(1)] }
}

function sized() {
  const dense = devicePixelRatio || 1
  const { clientWidth: width, clientHeight: height } = top
  if (!width || !height) return
  for (const canvas of [base, top]) Object.assign(canvas, { width: width * dense, height: height * dense })
  Object.assign(view, { width, height })
  if (!view.byHand) fit(false)
  redraw(true)
}

/** What the map fits itself to: the user's places, else the events', else the catalogue's. */
function aim() {
  if (!drawn.user?.path.length && drawn.cells.length) return drawn.cells
  return (drawn.user?.path.length ? drawn.user.path : drawn.places).map((centre) => ({ centre, n: 1 }))
}

/** The box that holds the events; those of the outermost hundredth only where they are not far from the others. */
function box() {
  const points = aim()
  const all = points.reduce((sum, one) => sum + one.n, 0)
  const between = (axis) => {
    const sorted = points.toSorted((a, b) => a.centre[axis] - b.centre[axis])
    const reach = (share) => {
      let sum = 0
      return sorted.find((one) => (sum += one.n) >= share * all).centre[axis]
    }
    const [first, last, low, high] = [sorted[0].centre[axis], sorted.at(-1).centre[axis], reach(0.01), reach(0.99)]
    return last - first < 2 * (high - low) ? [first, last] : [low, high]
  }
  const [[west, east], [north, south]] = [between(0), between(1)]
  const around = drawn.cells.length ? Math.abs(drawn.cells[0].points[0][0] - drawn.cells[0].points[3][0]) : 0
  return [west - around, north - around, east + around, south + around]
}

let fitted = ''
function fit(moved) {
  if (!aim().length) return
  const to = view.fitting(box(), 2 ** 21)
  const same = `${to.x.toFixed(5)} ${to.y.toFixed(5)} ${Math.round(Math.log2(to.zoom) * 8)}`
  if (!moved && same === fitted && view.fittedWidth === view.width) return
  const first = fitted === ''
  ;[fitted, view.fittedWidth] = [same, view.width]
  view.go(to, () => redraw(true), calm() || first)
}

function redraw(whole = false) {
  groundStale ||= whole
  pending ||= requestAnimationFrame(frame)
}

function frame(now) {
  pending = 0
  if (groundStale) {
    ground.draw(base.getContext('2d'), view, drawn.lines, drawn.places)
    const { text, pixels } = view.bar()
    say(find('scale').firstElementChild, text)
    find('scale').lastElementChild.style.width = `${pixels}px`
    groundStale = false
  }
  const dense = devicePixelRatio || 1
  const context = top.getContext('2d')
  context.setTransform(dense, 0, 0, dense, 0, 0)
  context.clearRect(0, 0, view.width, view.height)
  hexagons(context)
  if (drawn.user) oneUser(context)
  ripples(context, now)
  if (drawn.ripples.length) redraw()
}

function hexagon(context, points) {
  context.beginPath()
  for (const point of points) context.lineTo(...view.screen(point))
  context.closePath()
}

function hexagons(context) {
  const colours = scale(drawn.most)
  context.lineWidth = 1
  context.strokeStyle = colour('paper')
  for (const one of drawn.cells) {
    hexagon(context, one.points)
    context.fillStyle = drawn.user ? colour('edge') : colours.of(one.n) // behind a user all others step back
    context.globalAlpha = drawn.user ? 0.08 + (0.3 * Math.log1p(one.n)) / Math.log1p(drawn.most) : 0.88
    context.fill()
    context.stroke()
  }
  context.globalAlpha = 1
  if (drawn.chosen >= 0) {
    hexagon(context, drawn.cells[drawn.chosen].points)
    context.strokeStyle = colour('ink')
    context.lineWidth = 2.5
    context.stroke()
  }
}

function oneUser(context) {
  const most = Math.max(...drawn.user.next.map((one) => one.p), 1e-9)
  for (const one of drawn.user.next) {
    hexagon(context, one.points)
    context.fillStyle = context.strokeStyle = colour('next')
    context.globalAlpha = 0.15 + 0.45 * (one.p / most)
    context.fill()
    context.globalAlpha = 1
    context.lineWidth = 2
    context.stroke()
  }
  const path = drawn.user.path.map((point) => view.screen(point))
  context.strokeStyle = context.fillStyle = colour('model')
  context.lineWidth = 1.6
  path.forEach(([left, top_], i) => {
    context.globalAlpha = 0.12 + (0.75 * (i + 1)) / path.length
    if (i) {
      context.beginPath()
      context.moveTo(...path[i - 1])
      context.lineTo(left, top_)
      context.stroke()
    }
    context.beginPath()
    context.arc(left, top_, i === path.length - 1 ? 6 : 3, 0, 7)
    context.fill()
  })
  context.globalAlpha = 1
}

function ripples(context, now) {
  drawn.ripples = drawn.ripples.filter((one) => now - one.start < RIPPLE_MS)
  context.strokeStyle = colour('ripple')
  for (const { at, start } of drawn.ripples) {
    const t = Math.max((now - start) / RIPPLE_MS, 0)
    context.globalAlpha = 1 - t
    context.lineWidth = 2.5 * (1 - t) + 0.5
    context.beginPath()
    context.arc(...view.screen(at), 4 + 26 * Math.sqrt(t), 0, 7)
    context.stroke()
  }
  context.globalAlpha = 1
}

/** What a cell says: how much of what. */
function told(one) {
  const rows = one.rows.map((row) => [drawn.names[row[0]], row[1 + drawn.window]]).filter((row) => row[1])
  return rows.sort((a, b) => b[1] - a[1]).map(([name, n]) => `${plain(name)} ${count(n)}`)
}

function inside([x, y], points) {
  let within = false
  points.forEach(([ax, ay], i) => {
    const [bx, by] = points[(i + 1) % points.length]
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within
  })
  return within
}

function hint(left, top_) {
  const at = view.at([left, top_])
  const next = drawn.user?.next.find((one) => inside(at, one.points))
  const one = drawn.cells.find((cell) => inside(at, cell.points))
  tip.hidden = !one && !next
  if (tip.hidden) return
  const lines = one ? [h('b', {}, many(one.n, 'event')), ...told(one).map((text) => h('span', {}, text))] : []
  if (next) lines.unshift(h('b', {}, `next here: ${percent(next.p)}`))
  tip.replaceChildren(...lines)
  tip.style.left = `${Math.min(left + 14, view.width - tip.offsetWidth - 8)}px`
  tip.style.top = `${Math.max(Math.min(top_ + 14, view.height - tip.offsetHeight - 8), 8)}px`
}

function walk(step) {
  if (!drawn.cells.length) return
  drawn.chosen = (drawn.chosen + step + drawn.cells.length + (drawn.chosen < 0 && step < 0 ? 1 : 0)) % drawn.cells.length
  const one = drawn.cells[drawn.chosen]
  say(find('map-said'), `Place ${drawn.chosen + 1} of ${drawn.cells.length}: ${many(one.n, 'event')}, ${told(one).join(', ')}`)
  const [left, top_] = view.screen(one.centre)
  if (left < 40 || top_ < 40 || left > view.width - 40 || top_ > view.height - 40) view.pan(view.width / 2 - left, view.height / 2 - top_)
  hint(...view.screen(one.centre))
  redraw(true)
}

function refit() {
  view.byHand = false
  fit(true)
}

function leave() {
  drawn.chosen = -1
  tip.hidden = true
  redraw()
}

/** Where the map looks and how much it shows. */
export const state = () => ({ zoom: view.zoom, x: view.x, y: view.y, dark: isDark(), cells: drawn.cells.length })
