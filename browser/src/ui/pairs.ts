// Which proof and which signature files are of which document: of one document those that were chosen, of several those
// that are called as the programs call them, FILE.proof, FILE.sig and FILE.minisig.

import type { Scheme } from '../signature-file.ts';

export interface Named {
  name: string;
}

export interface Pair<File extends Named> {
  document: File;
  proof: File | undefined;
  beside: Partial<Record<Scheme, File>>;
}

export interface Pairs<File extends Named> {
  pairs: Pair<File>[];
  /** Proofs and signature files of no document. */
  unused: File[];
}

const ENDINGS: Record<Scheme, string> = { sshsig: '.sig', minisign: '.minisig' };

/** Whether this is the name with that ending; the ending may be in capitals, as some sticks have it. */
function isBeside(name: string, document: string, ending: string): boolean {
  return name.startsWith(document) && name.slice(document.length).toLowerCase() === ending;
}

/** A name that two files of one kind have: nobody can say then which one belongs to which. */
export function twice(files: Named[]): string | null {
  const names = files.map((file) => file.name);
  return names.find((name, at) => names.indexOf(name) < at) ?? null;
}

export function pairsOf<File extends Named>(documents: File[], proofs: File[], signatures: File[]): Pairs<File> {
  const used = new Set<File>();
  const take = (files: File[], document: File, ending: string): File | undefined => {
    const found = files.find((file) => isBeside(file.name, document.name, ending));
    if (found !== undefined) used.add(found);
    return found;
  };
  const pairs = documents.map((document) => {
    const beside: Pair<File>['beside'] = {};
    for (const scheme of ['sshsig', 'minisign'] as const) {
      const found = take(signatures, document, ENDINGS[scheme]);
      if (found !== undefined) beside[scheme] = found;
    }
    return { document, proof: take(proofs, document, '.proof'), beside };
  });
  return { pairs, unused: [...proofs, ...signatures].filter((file) => !used.has(file)) };
}
