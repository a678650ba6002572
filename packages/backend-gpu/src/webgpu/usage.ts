/** Numbers of `GPUBufferUsage` and `GPUMapMode`, which not every runtime has as globals. */
export const usage = {
  mapRead: 1,
  copySource: 4,
  copyTarget: 8,
  uniform: 64,
  storage: 128,
  queryResolve: 512,
} as const;
