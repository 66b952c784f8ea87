// Where the map looks: Web Mercator, the world from (0, 0) in the north-west to (1, 1), a centre, and pixels per world.

const LEAST = 500
const MOST = 2 ** 25
const MOST_LATITUDE = 85.05

export function world(latitude, longitude) {
  const held = (Math.min(Math.max(latitude, -MOST_LATITUDE), MOST_LATITUDE) * Math.PI) / 180
  return [(longitude + 180) / 360, 0.5 - Math.asinh(Math.tan(held)) / (2 * Math.PI)]
}

export const latitudeOf = (y) => (Math.atan(Math.sinh((0.5 - y) * 2 * Math.PI)) * 180) / Math.PI

const held = (value, least, most) => Math.min(Math.max(value, least), most)

export class View {
  constructor() {
    Object.assign(this, { x: 0.5, y: 0.4, zoom: LEAST * 1.6, width: 1, height: 1, byHand: false })
    this.moving = 0
  }

  screen([x, y]) {
    return [(x - this.x) * this.zoom + this.width / 2, (y - this.y) * this.zoom + this.height / 2]
  }

  at([left, top]) {
    return [(left - this.width / 2) / this.zoom + this.x, (top - this.height / 2) / this.zoom + this.y]
  }

  pan(right, down) {
    this.byHand = true
    this.x = held(this.x - right / this.zoom, 0, 1)
    this.y = held(this.y - down / this.zoom, 0, 1)
  }

  /** Zoom by a factor; what is at a point of the screen stays there. */
  zoomAt(factor, left = this.width / 2, top = this.height / 2) {
    this.byHand = true
    const [x, y] = this.at([left, top])
    this.zoom = held(this.zoom * factor, LEAST, MOST)
    this.x = held(x - (left - this.width / 2) / this.zoom, 0, 1)
    this.y = held(y - (top - this.height / 2) / this.zoom, 0, 1)
  }

  /** Centre and zoom that show a box [west, north, east, south] of the world with room around it. */
  fitting([west, north, east, south], closest = 2 ** 22) {
    const room = 0.88
    const zoom = Math.min((this.width * room) / Math.max(east - west, 1e-9), (this.height * room) / Math.max(south - north, 1e-9))
    return { x: (west + east) / 2, y: (north + south) / 2, zoom: held(zoom, LEAST, closest) }
  }

  /** Go there, in some frames or at once; `draw` is called for each. */
  go(to, draw, calm) {
    cancelAnimationFrame(this.moving)
    if (calm) {
      Object.assign(this, to)
      draw()
      return
    }
    const from = { x: this.x, y: this.y, zoom: this.zoom }
    const start = performance.now()
    const frame = (now) => {
      const t = held((now - start) / 350, 0, 1)
      const eased = 1 - (1 - t) ** 3
      this.zoom = from.zoom * (to.zoom / from.zoom) ** eased
      this.x = from.x + (to.x - from.x) * eased
      this.y = from.y + (to.y - from.y) * eased
      draw()
      if (t < 1) this.moving = requestAnimationFrame(frame)
    }
    this.moving = requestAnimationFrame(frame)
  }

  /** A round number of metres, and its length in pixels, for the scale bar. */
  bar() {
    const metres = (40_075_017 * Math.cos((latitudeOf(this.y) * Math.PI) / 180)) / this.zoom
    const wanted = metres * 110
    const power = 10 ** Math.floor(Math.log10(wanted))
    const round = [5, 2, 1].find((step) => step * power <= wanted) * power
    return { text: round >= 1000 ? `${round / 1000} km` : `${round} m`, pixels: round / metres }
  }
}
