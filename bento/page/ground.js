// The ground of the map: land, coasts and borders from the bundled outlines, a graticule, and the places of the catalogue.

import { colour } from './dom.js'
import { latitudeOf, world } from './view.js'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Points of the world of one arc: differences of whole units, zigzag, five bits a letter (outlines/make.py). */
function decoded(text, unit) {
  const points = []
  const at = [0, 0]
  let [value, shift, axis] = [0, 0, 0]
  for (const letter of text) {
    const bits = LETTERS.indexOf(letter)
    value |= (bits & 31) << shift
    shift += 5
    if (bits & 32) continue
    at[axis] += value & 1 ? -(value + 1) / 2 : value / 2
    if (axis === 1) points.push(world(at[1] * unit, at[0] * unit))
    ;[value, shift, axis] = [0, 0, 1 - axis]
  }
  return points
}

/** Points whose steps over the date line go on beyond the edge of the world instead of back across it. */
function unwrapped(points) {
  const whole = []
  for (const [x, y] of points) whole.push([whole.length ? x + Math.round(whole.at(-1)[0] - x) : x, y])
  return whole
}

function trace(path, points) {
  points.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)))
}

/** The same line, most of it inside the world. */
function inside(points) {
  const line = unwrapped(points)
  const shift = Math.floor(line.reduce((sum, [x]) => sum + x, 0) / line.length)
  return line.map(([x, y]) => [x - shift, y])
}

/** Add a ring; one that goes around a pole is closed below it. */
function enclose(path, points) {
  const ring = inside(points)
  if (Math.abs(ring.at(-1)[0] - ring[0][0]) > 0.5) ring.push([ring.at(-1)[0], 1], [ring[0][0], 1])
  trace(path, ring)
  path.closePath()
}

/** Paths of the outlines in world units. */
export function paths(outlines) {
  const arcs = outlines.arcs.map((text) => decoded(text, outlines.unit))
  const [land, coasts, borders] = [new Path2D(), new Path2D(), new Path2D()]
  for (const ring of outlines.land) enclose(land, ring.flatMap((n) => (n >= 0 ? arcs[n] : arcs[~n].toReversed())))
  const shared = new Set(outlines.borders)
  arcs.forEach((points, n) => trace(shared.has(n) ? borders : coasts, inside(points)))
  return { land, coasts, borders }
}

/** Draw the ground; `lines` are `paths`, or null until they are there; `places` are points of the world. */
export function draw(context, view, lines, places) {
  const dense = devicePixelRatio || 1
  context.setTransform(dense, 0, 0, dense, 0, 0)
  context.fillStyle = colour('water')
  context.fillRect(0, 0, view.width, view.height)
  if (lines) outlined(context, view, lines, dense)
  graticule(context, view)
  dots(context, view, places)
}

function outlined(context, view, lines, dense) {
  const [left, top] = view.screen([0, 0])
  context.save()
  context.setTransform(dense * view.zoom, 0, 0, dense * view.zoom, dense * left, dense * top)
  context.lineJoin = 'round'
  context.fillStyle = colour('land')
  context.fill(lines.land, 'evenodd')
  context.strokeStyle = colour('land') // closes the hairlines between neighbours
  context.lineWidth = 0.7 / view.zoom
  context.stroke(lines.borders)
  context.strokeStyle = colour('border')
  context.lineWidth = 1 / view.zoom
  context.stroke(lines.borders)
  context.strokeStyle = colour('coast')
  context.stroke(lines.coasts)
  context.restore()
}

function graticule(context, view) {
  const degrees = (360 * 160) / view.zoom
  const power = 10 ** Math.floor(Math.log10(degrees))
  const step = Math.min([1, 2, 5, 10].find((one) => one * power >= degrees) * power, 30)
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))
  const [[west, north], [east, south]] = [view.at([0, 0]), view.at([view.width, view.height])]
  context.strokeStyle = colour('graticule')
  context.fillStyle = colour('soft')
  context.font = '11px system-ui, sans-serif'
  context.lineWidth = 1
  context.beginPath()
  const lines = (from, to, position, name, place) => {
    for (let k = Math.ceil(from / step); k * step <= to; k += 1) {
      const at = Math.round(position(k * step)) + 0.5
      place(at)
      name(k * step, at)
    }
  }
  const text = (degree, [more, less]) => `${Math.abs(degree).toFixed(digits)}° ${degree < 0 ? less : more}`
  lines(Math.max(west * 360 - 180, -180), Math.min(east * 360 - 180, 180), (d) => view.screen(world(0, d))[0],
    (d, at) => context.fillText(text(d, ['E', 'W']), at + 4, 14),
    (at) => { context.moveTo(at, 0); context.lineTo(at, view.height) })
  lines(Math.max(latitudeOf(south), -84), Math.min(latitudeOf(north), 84), (d) => view.screen(world(d, 0))[1],
    (d, at) => at > 30 && at < view.height - 60 && context.fillText(text(d, ['N', 'S']), 6, at - 5),
    (at) => { context.moveTo(0, at); context.lineTo(view.width, at) })
  context.stroke()
}

function dots(context, view, places) {
  context.fillStyle = colour('place')
  const size = view.zoom > 4e5 ? 2 : 1.4
  for (const place of places) {
    const [left, top] = view.screen(place)
    if (left > 0 && top > 0 && left < view.width && top < view.height) context.fillRect(left - size / 2, top - size / 2, size, size)
  }
}
