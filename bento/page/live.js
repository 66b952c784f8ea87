// What the page knows of what is happening: the snapshot, kept up by the differences that follow it.

/** The snapshot with one difference applied; `fresh` are the events that came with it. */
export function applied(snapshot, delta) {
  const { newest, skipped, map, ...rest } = delta
  const next = { ...snapshot, ...rest }
  if (map) {
    const cells = { ...snapshot.map.cells, ...map.cells }
    const shapes = { ...snapshot.map.shapes, ...map.shapes }
    for (const cell of map.gone) {
      delete cells[cell]
      delete shapes[cell]
    }
    next.map = { ...snapshot.map, ...map, cells, shapes }
  }
  if (newest) next.newest = [...snapshot.newest, ...newest].slice(-60)
  if (rest.gone) next.newest = next.newest.filter((event) => !rest.gone.includes(event.user))
  return { next, fresh: newest || [], skipped: skipped || 0 }
}

/** Events of each cell in a window (0, 1, 2), of one action (its place) or of all (null): Map of cell → count. */
export function perCell(snapshot, window, action) {
  const found = new Map()
  for (const [cell, rows] of Object.entries(snapshot.map.cells)) {
    let n = 0
    for (const row of rows) if (action === null || row[0] === action) n += row[1 + window]
    if (n) found.set(cell, n)
  }
  return found
}

/** Corners of a cell in degrees, [[latitude, longitude], …]; `flat` as the service sends them: steps of 1e-5 degrees. */
export function corners(flat) {
  const points = []
  let [latitude, longitude] = [0, 0]
  for (let i = 0; i < flat.length; i += 2) {
    latitude += flat[i]
    longitude += flat[i + 1]
    points.push([latitude / 1e5, longitude / 1e5])
  }
  return points
}

/** All events of a window. */
export function total(snapshot, window) {
  return Object.values(snapshot.events).reduce((sum, counts) => sum + counts[window], 0)
}
