/** How a field's name becomes the part of a state key, so that PyTorch's files load. */

/**
 * camelCase as snake_case: `runningMean` is `running_mean`. A name with an underscore or a leading capital stays as it
 * is (`weight_ih_l0`, `K`), and so does an index (`0`).
 */
export function stateKey(name: string): string {
  if (name.includes('_') || /^[A-Z]/.test(name)) return name;
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

/** A path of keys: `conv1` and `weight` give `conv1.weight`. */
export const joinKeys = (prefix: string, key: string): string => (prefix === '' ? key : `${prefix}.${key}`);
