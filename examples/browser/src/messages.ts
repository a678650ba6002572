/** What the page and its worker say to each other: plain data. */

export const backendNames = ['cpu', 'webgpu', 'gpujs'] as const;
export type BackendName = (typeof backendNames)[number];

/** A backend as the page offers it. */
export interface BackendChoice {
  readonly name: BackendName;
  readonly label: string;
  /** Why it cannot be chosen here; null if it can. */
  readonly unavailable: string | null;
}

/** MNIST's four files, as bytes. */
export interface DigitFiles {
  readonly trainImages: ArrayBuffer;
  readonly trainLabels: ArrayBuffer;
  readonly testImages: ArrayBuffer;
  readonly testLabels: ArrayBuffer;
}

/** Which digits to train on: so many generated ones, or files, under a name that tells one choice from another. */
export type Digits =
  | { readonly kind: 'generated'; readonly count: number }
  | { readonly kind: 'files'; readonly name: string; readonly files: DigitFiles | null };

/** Figures at a step: of the training batches since the last point, or of the test digits. */
export interface Point {
  readonly step: number;
  readonly loss: number;
  /** From 0 to 1. */
  readonly accuracy: number;
}

export interface History {
  readonly train: readonly Point[];
  readonly test: readonly Point[];
}

export type Phase = 'starting' | 'untrained' | 'preparing' | 'training' | 'paused' | 'trained';

export interface Progress {
  readonly step: number;
  /** The step at which training ends. */
  readonly steps: number;
  readonly epoch: number;
  readonly epochs: number;
}

/** What the network makes of one picture: values row by row. */
export interface Maps {
  /** `[6, 5, 5]` */
  readonly filters: Float32Array;
  /** `[6, 28, 28]` */
  readonly first: Float32Array;
  /** `[16, 10, 10]` */
  readonly second: Float32Array;
}

/** What is kept in the browser. */
export interface Remembered {
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  readonly step: number;
  /** Of the test digits; null before the first test. */
  readonly accuracy: number | null;
}

export type ToWorker =
  | { readonly type: 'train'; readonly backend: BackendName; readonly digits: Digits; readonly epochs: number }
  | { readonly type: 'pause' | 'reset' | 'forget' | 'export' | 'sample' }
  /** 784 values from 0 (paper) to 1 (ink); null for a digit of the worker's own. */
  | { readonly type: 'look'; readonly pixels: Float32Array | null };

export type FromWorker =
  | { readonly type: 'backends'; readonly choices: readonly BackendChoice[] }
  | { readonly type: 'phase'; readonly phase: Phase; readonly text: string }
  | { readonly type: 'running'; readonly backend: string }
  | { readonly type: 'history'; readonly history: History; readonly progress: Progress }
  | {
      readonly type: 'step';
      readonly point: Point;
      readonly progress: Progress;
      readonly digitsPerSecond: number | null;
    }
  | { readonly type: 'test'; readonly point: Point }
  | { readonly type: 'seen'; readonly probabilities: Float32Array; readonly maps: Maps }
  | { readonly type: 'sample'; readonly pixels: Float32Array; readonly label: number }
  | { readonly type: 'remembered'; readonly remembered: Remembered | null }
  | { readonly type: 'exported'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: 'failed'; readonly text: string };
