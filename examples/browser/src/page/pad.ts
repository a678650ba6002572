/** The pad: strokes by mouse, finger, pen or arrow keys, drawn anew at any size and in either theme. */
import { type Drawing, pictureOf } from './picture';

/** A point of the pad, each axis from 0 to 1. */
type Spot = readonly [x: number, y: number];

/** Of the pad's side: about two pixels of 28 for a digit that fills it. */
const penWidth = 0.085;
/** The side at which a drawing is turned into a picture. */
const rasterSide = 280;
const keyStep = 0.04;

const moves: Readonly<Record<string, Spot>> = {
  ArrowLeft: [-keyStep, 0],
  ArrowRight: [keyStep, 0],
  ArrowUp: [0, -keyStep],
  ArrowDown: [0, keyStep],
};

/** Draws strokes as smooth lines: through the midpoints, bent towards the points. */
function drawStrokes(context: CanvasRenderingContext2D, strokes: readonly (readonly Spot[])[], side: number): void {
  context.lineWidth = penWidth * side;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * side, y * side] as const);
    const [first, ...rest] = points;
    context.beginPath();
    context.moveTo(...first!);
    rest.forEach(([x, y], i) => {
      const next = rest[i + 1];
      if (next) context.quadraticCurveTo(x, y, (x + next[0]) / 2, (y + next[1]) / 2);
      else context.lineTo(x, y);
    });
    if (rest.length === 0) context.lineTo(first![0] + 0.01, first![1]);
    context.stroke();
  }
}

export class Pad {
  readonly #canvas: HTMLCanvasElement;
  readonly #onDraw: (picture: Float32Array | null) => void;
  readonly #raster = new OffscreenCanvas(rasterSide, rasterSide);
  #strokes: Spot[][] = [];
  /** A picture that was put here instead of strokes. */
  #picture: Float32Array | null = null;
  /** Of the pen that is down, by its pointer; −1 for the keyboard's. */
  #pointer: number | null = null;
  #cursor: Spot = [0.5, 0.5];
  #hasKeys = false;

  /** @param onDraw - called with the picture, 784 values from 0 to 1, or null once the pad is empty */
  constructor(canvas: HTMLCanvasElement, onDraw: (picture: Float32Array | null) => void) {
    this.#canvas = canvas;
    this.#onDraw = onDraw;
    canvas.addEventListener('pointerdown', (event) => this.#down(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    for (const name of ['pointerup', 'pointercancel'] as const)
      canvas.addEventListener(name, (event) => this.#up(event));
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('blur', () => this.#leave());
    new ResizeObserver(() => this.repaint()).observe(canvas);
  }

  clear(): void {
    this.#strokes = [];
    this.#picture = null;
    this.#pointer = null;
    this.#changed();
  }

  /** Puts a picture here, without drawing it. */
  show(picture: Float32Array): void {
    this.#strokes = [];
    this.#picture = picture;
    this.repaint();
  }

  repaint(): void {
    const side = Math.round(this.#canvas.clientWidth * devicePixelRatio);
    this.#canvas.width = side;
    this.#canvas.height = side;
    const context = this.#canvas.getContext('2d')!;
    context.strokeStyle = getComputedStyle(this.#canvas).color;
    context.fillStyle = context.strokeStyle;
    if (this.#picture) this.#paintPicture(context, this.#picture, side);
    drawStrokes(context, this.#strokes, side);
    if (this.#hasKeys) this.#paintCursor(context, side);
  }

  #paintPicture(context: CanvasRenderingContext2D, picture: Float32Array, side: number): void {
    const [red, green, blue] = context.fillStyle
      .toString()
      .match(/\w\w/g)!
      .map((hex) => Number.parseInt(hex, 16));
    const image = new ImageData(28, 28);
    picture.forEach((value, i) => {
      image.data.set([red!, green!, blue!, value * 255], i * 4);
    });
    const small = new OffscreenCanvas(28, 28);
    small.getContext('2d')!.putImageData(image, 0, 0);
    context.drawImage(small, 0, 0, side, side);
  }

  #paintCursor(context: CanvasRenderingContext2D, side: number): void {
    const [x, y] = this.#cursor;
    context.beginPath();
    context.arc(x * side, y * side, (penWidth * side) / 2, 0, 2 * Math.PI);
    context.lineWidth = 2 * devicePixelRatio;
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue('--accent');
    context.stroke();
  }

  #changed(): void {
    this.repaint();
    this.#onDraw(pictureOf(this.#drawing()));
  }

  #drawing(): Drawing {
    const context = this.#raster.getContext('2d', { willReadFrequently: true })!;
    context.clearRect(0, 0, rasterSide, rasterSide);
    drawStrokes(context as unknown as CanvasRenderingContext2D, this.#strokes, rasterSide);
    const { data } = context.getImageData(0, 0, rasterSide, rasterSide);
    const ink = Float32Array.from({ length: rasterSide ** 2 }, (_, i) => data[i * 4 + 3]! / 255);
    return { width: rasterSide, height: rasterSide, ink };
  }

  #spot({ clientX, clientY }: PointerEvent): Spot {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return [(clientX - left) / width, (clientY - top) / height];
  }

  #down(event: PointerEvent): void {
    if (this.#pointer !== null || event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.#hasKeys = false;
    this.#picture = null;
    this.#strokes.push([this.#spot(event)]);
    this.#changed();
  }

  #move(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.#strokes.at(-1)!.push(...(events.length > 0 ? events : [event]).map((each) => this.#spot(each)));
    this.#changed();
  }

  #up(event: PointerEvent): void {
    if (event.pointerId === this.#pointer) this.#pointer = null;
  }

  #key(event: KeyboardEvent): void {
    const move = moves[event.key];
    if (event.key === 'Delete' || event.key === 'Backspace') this.clear();
    else if (event.key === ' ') this.#toggle();
    else if (move) this.#step(move);
    else return;
    event.preventDefault();
  }

  #toggle(): void {
    this.#hasKeys = true;
    if (this.#pointer === -1) this.#pointer = null;
    else {
      this.#pointer = -1;
      this.#picture = null;
      this.#strokes.push([this.#cursor]);
    }
    this.#changed();
  }

  #step([dx, dy]: Spot): void {
    this.#hasKeys = true;
    const inside = (value: number): number => Math.min(Math.max(value, 0.05), 0.95);
    this.#cursor = [inside(this.#cursor[0] + dx), inside(this.#cursor[1] + dy)];
    if (this.#pointer === -1) this.#strokes.at(-1)!.push(this.#cursor);
    this.#changed();
  }

  #leave(): void {
    if (this.#pointer === -1) this.#pointer = null;
    this.#hasKeys = false;
    this.repaint();
  }
}
