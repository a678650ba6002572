/** Spectra, filter banks and cepstra of the reference vectors, by @dl/audio. */
import * as audio from '@dl/audio';
import type { PadMode } from '@dl/tensor';
import type { GoldenCall, GoldenOps } from './call';

const framing = (call: GoldenCall): audio.StftOptions => ({
  nFft: call.number('n_fft'),
  hopLength: call.number('hop_length'),
  winLength: call.number('win_length'),
  window: call.text('window') as audio.WindowName,
  center: call.flag('center'),
  ...(call.has('pad_mode') && { padMode: call.text('pad_mode') as PadMode }),
});
const spectrum = (call: GoldenCall): audio.SpectrogramOptions => ({ ...framing(call), power: call.number('power') });
const filters = (call: GoldenCall): audio.MelOptions => ({
  nMels: call.number('n_mels'),
  sampleRate: call.number('sample_rate'),
  fMin: call.number('f_min'),
  fMax: call.number('f_max'),
  norm: call.raw('norm') as 'slaney' | null,
  melScale: call.text('mel_scale') as audio.MelScale,
});
const mels = (call: GoldenCall): audio.MelSpectrogramOptions => ({ ...spectrum(call), ...filters(call) });
const logMels = (call: GoldenCall): audio.LogMelSpectrogramOptions => ({
  ...mels(call),
  log: call.text('log') === 'ln_add' ? 'ln' : 'db',
  logFloor: call.number('log_floor'),
});
const norm = (call: GoldenCall) => ({ norm: call.raw('norm') as 'ortho' | null });

export const audioOps: GoldenOps = {
  window: (call) =>
    audio.windowFunction(call.text('window') as audio.WindowName, call.number('length'), {
      periodic: call.flag('periodic'),
    }),
  stft: (call) => ({ ...audio.stft(call.x, framing(call)) }),
  spectrogram: (call) => audio.spectrogram(call.x, spectrum(call)),
  mel_filterbank: (call) => audio.melFilterBank({ ...filters(call), nFft: call.number('n_fft') }),
  mel_spectrogram: (call) => audio.melSpectrogram(call.x, mels(call)),
  log_mel_spectrogram: (call) => audio.logMelSpectrogram(call.x, logMels(call)),
  dct_matrix: (call) => audio.dctMatrix(call.number('n'), call.number('k'), norm(call)),
  dct: (call) => audio.dct(call.x, norm(call)),
  idct: (call) => audio.idct(call.x, norm(call)),
  preemphasis: (call) => audio.preemphasis(call.x, call.number('coeff')),
  mfcc: (call) =>
    audio.mfcc(call.x, {
      ...logMels(call),
      nMfcc: call.number('n_mfcc'),
      preemphasis: call.number('preemphasis'),
      lifter: call.number('lifter'),
    }),
};
