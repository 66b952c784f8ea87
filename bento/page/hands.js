// Hands on the map: mouse, touch (one finger moves, two zoom), keys and buttons. What they do is told by who calls.

/** Listen on a canvas; `act` has `redraw`, `refit`, `walk(step)`, `hint(left, top)`, `leave()` and `still()`. */
export function listen(canvas, view, act) {
  keys(canvas, view, act)
  pointers(canvas, view, act)
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault()
    view.zoomAt(2 ** (-event.deltaY / 300), event.offsetX, event.offsetY)
    act.redraw()
  }, { passive: false })
  canvas.addEventListener('blur', act.leave)
  for (const button of document.querySelectorAll('[data-zoom]')) {
    button.addEventListener('click', () => {
      if (button.dataset.zoom === 'fit') act.refit()
      else view.zoomAt(button.dataset.zoom === 'in' ? 1.5 : 1 / 1.5)
      act.redraw()
    })
  }
}

function keys(canvas, view, act) {
  const known = {
    ArrowLeft: () => view.pan(80, 0), ArrowRight: () => view.pan(-80, 0),
    ArrowUp: () => view.pan(0, 80), ArrowDown: () => view.pan(0, -80),
    '+': () => view.zoomAt(1.5), '=': () => view.zoomAt(1.5), '-': () => view.zoomAt(1 / 1.5),
    0: act.refit, '.': () => act.walk(1), ',': () => act.walk(-1),
  }
  canvas.addEventListener('keydown', (event) => {
    if (!known[event.key] || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    known[event.key]()
    act.redraw()
  })
}

function pointers(canvas, view, act) {
  const held = new Map()
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId)
    held.set(event.pointerId, [event.offsetX, event.offsetY])
  })
  canvas.addEventListener('pointermove', (event) => {
    const [before, now] = [held.get(event.pointerId), [event.offsetX, event.offsetY]]
    if (!before) {
      act.hint(...now)
      return
    }
    const other = [...held].find(([id]) => id !== event.pointerId)?.[1]
    if (other) {
      const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1
      view.zoomAt(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2)
    }
    const share = other ? 0.5 : 1
    const [right, down] = [now[0] - before[0], now[1] - before[1]]
    if (right || down) view.pan(right * share, down * share)
    held.set(event.pointerId, now)
    act.still()
    act.redraw()
  })
  for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) canvas.addEventListener(name, (event) => held.delete(event.pointerId))
  canvas.addEventListener('pointerleave', act.still)
}
