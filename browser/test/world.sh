#!/bin/sh
# Makes real proofs of many kinds with the programs, into the current, empty folder, and lists them in `cases`:
# name, document, proof, policy, further arguments of `verifier check`, separated by tabs.
# The programs must be in the path.
set -eu

case_line() { printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5-}" >> cases; }
quiet() { "$@" > told.txt; }

(umask 077; echo 'an example, not a secret' > passphrase; echo 'what only Grace knows' > second)
verifier identity -o auditor.key > told.txt
auditor=$(sed -n 's/^# public key: //p' auditor.key)
key='--scrypt-log-n 10 --passphrase-file passphrase'
journal_of=
pass='--passphrase-file passphrase'

fingerprint() { sed -n 's/^fingerprint  //p' "$1"; }

# One round: batch to a log, its head to the witnesses, receipts back.
round() { # signer log policy witnesses...
  signer=$1 log=$2 policy=$3; shift 3
  rm -f round.batch
  quiet signer --home "$signer" export $journal_of -o round.batch
  quiet log --home "$log" append round.batch
  rm -f round.request round.answer.*
  quiet log --home "$log" witness-request -o round.request
  # All cosign, or a later request would have to begin at an older head; only the named answers come back.
  for w in w1 w2 w3; do
    [ $# -eq 0 ] || quiet witness --home $w cosign round.request -o "round.answer.$w"
  done
  back=$(printf "round.answer.%s " "$@")
  [ $# -eq 0 ] || quiet log --home "$log" add-cosignatures $back --policy "$policy"
  rm -f round.receipts
  quiet log --home "$log" receipts round.batch -o round.receipts --policy "$policy"
  quiet signer --home "$signer" import round.receipts --policy "$policy"
}

signer --home alice init --name signer.example/releases --operator Ada --operator 'Grace "G" Hopper' --auditor "$auditor" $key > alice.txt
for log in one two; do
  quiet log --home "$log" init --origin "$log.example/log" --unencrypted
  quiet log --home "$log" allow alice/genesis.cbor --fingerprint "$(fingerprint alice.txt)"
done
for w in w1 w2 w3; do quiet witness --home $w init --name $w.example/witness --unencrypted; done

witnesses=$(cat w1/witness.policy w2/witness.policy w3/witness.policy)
quorum='group two-of-three 2 w1.example/witness w2.example/witness w3.example/witness
quorum two-of-three'
{ cat one/log.policy; echo "$witnesses"; echo "$quorum"; } > policy.one
{ cat one/log.policy two/log.policy; echo "$witnesses"; echo "$quorum"; } > policy.both
{ cat one/log.policy; echo 'quorum none'; } > policy.none
{ cat one/log.policy; echo "$witnesses"; echo 'group all all w1.example/witness w2.example/witness w3.example/witness'; echo 'quorum all'; } > policy.all
sed 's/^group \(w[0-9].example.witness\) any/group \1 all/' policy.one > policy.mldsa
{ sed 's/ .*ml-dsa-44 / pq /' policy.one | grep '^log'; grep 'ml-dsa-44 w1' policy.one | grep ^witness | sed 's/^witness [^ ]*/witness pq/'; echo 'quorum pq'; } > policy.pq
for w in w1 w2 w3; do quiet witness --home $w add-log policy.both; done

# Before any head is known; SSHSIG and minisign.
echo 'the application' > app.txt
printf 'a tool\000\377' > tool.bin
: > empty
quiet signer --home alice sign app.txt --operator Ada --version 1.0 --purpose release $pass
quiet signer --home alice sign tool.bin --format minisign --operator 'Grace "G" Hopper' --version '' --purpose 'an "odd" purpose é' $pass
round alice one policy.one w1 w2 w3
sleep 1
# A head is known now. Two logs.
quiet signer --home alice sign empty --name "a
name	$(printf '\342\200\256')x" --operator Ada --version 2 --purpose 'second round' $pass
round alice one policy.one w1 w2
for n in 1 2 3 4 5; do echo "file $n" > "many.$n"; done
quiet signer --home alice sign many.* --operator Ada --version 3 --purpose many $pass
round alice one policy.one w2 w3
for p in one all mldsa pq none both; do
  case_line "sshsig-$p" app.txt app.txt.proof policy.$p
  case_line "minisign-$p" tool.bin tool.bin.proof policy.$p
done
case_line earlier-head empty empty.proof policy.one
case_line earlier-head-none empty empty.proof policy.none
case_line signature app.txt app.txt.proof policy.one '--signature app.txt.sig --signer alice/signer.pub'
case_line minisig tool.bin tool.bin.proof policy.one '--signature tool.bin.minisig'
case_line wrong-signature app.txt app.txt.proof policy.one '--signature tool.bin.minisig'
case_line many many.3 many.3.proof policy.one
case_line wrong-document many.3 many.4.proof policy.one
case_line not-both app.txt app.txt.proof policy.both '--require-logs 2'

# Two logs for one signature: the batch goes to both.
signer --home bob init --name bob.example/apps --journal tools --operator Bob --auditor "$auditor" $key > bob.txt 2>/dev/null ||
  signer --home bob init --name bob.example/apps --operator Bob --auditor "$auditor" $key > bob.txt
for log in one two; do quiet log --home "$log" allow bob/genesis.cbor --fingerprint "$(fingerprint bob.txt)"; done
echo 'for two logs' > both.txt
quiet signer --home bob sign both.txt --operator Bob --version 9 --purpose both $pass
quiet signer --home bob export -o bob.batch
for log in one two; do
  quiet log --home $log append bob.batch
  rm -f r.request; quiet log --home $log witness-request -o r.request
  for w in w1 w2 w3; do quiet witness --home $w cosign r.request -o r.$log.$w; done
  quiet log --home $log add-cosignatures r.$log.* --policy policy.both
  quiet log --home $log receipts bob.batch -o r.$log.receipts --policy policy.both
  quiet signer --home bob import r.$log.receipts --policy policy.both
done
case_line two-logs both.txt both.txt.proof policy.both
case_line two-logs-required both.txt both.txt.proof policy.both '--require-logs 2'
case_line two-logs-one-known both.txt both.txt.proof policy.one
case_line two-logs-three both.txt both.txt.proof policy.both '--require-logs 3'

# Approvals, a second factor.
for name in Ben Cleo Dora; do quiet signer approver-key --name $name -o $name.key $key; done
signer --home carol init --name carol.example/firm --operator Carol --auditor "$auditor" --approver Ben=Ben.key.pub \
  --approver Cleo=Cleo.key.pub --approver Dora=Dora.key.pub --approvals 2 --second-factor second-passphrase \
  --second-file second $key > carol.txt
quiet log --home one allow carol/genesis.cbor --fingerprint "$(fingerprint carol.txt)"
echo 'approved' > approved.txt; echo 'approved as well' > approved.2
quiet signer --home carol request approved.txt approved.2 --operator Carol --version 1.0 --purpose firmware --expires 24h -o a.request.cbor
quiet signer approve a.request.cbor approved.txt approved.2 --key Ben.key $pass --yes -o ben.approval.cbor
quiet signer approve a.request.cbor --unseen --key Cleo.key $pass --yes -o cleo.approval.cbor
quiet signer --home carol sign approved.txt approved.2 --operator Carol --version 1.0 --purpose firmware \
  --approval ben.approval.cbor --approval cleo.approval.cbor --second-file second $pass
round carol one policy.one w1 w2 w3
case_line approved approved.txt approved.txt.proof policy.one
case_line approved-2 approved.2 approved.2.proof policy.one

# A signer whose key was handed over, and then revoked; key events.
quiet signer --home bob rotate-key --operator Bob --purpose yearly $pass
echo 'by the new key' > new.txt
quiet signer --home bob sign new.txt --operator Bob --version 10 --purpose new $pass
journal_of="--log one.example/log"
round bob one policy.one w1 w2 w3
echo 'to be lost' > lost.txt
quiet signer --home bob sign lost.txt --operator Bob --version 11 --purpose lost $pass
round bob one policy.one w1 w2 w3
quiet verifier key-events --log one/public --policy policy.one -o events.before
quiet signer --home bob revoke --operator Bob --purpose stolen --since-record 4 $pass
quiet signer --home bob export --log one.example/log -o bob.batch --force
quiet log --home one append bob.batch
rm -f r.request; quiet log --home one witness-request -o r.request
for w in w1 w2 w3; do quiet witness --home $w cosign r.request -o r.last.$w; done
quiet log --home one add-cosignatures r.last.* --policy policy.one
quiet verifier key-events --log one/public --policy policy.one -o events.after
for e in before after; do
  for d in both new lost; do case_line events-$e-$d $d.txt $d.txt.proof policy.one "--key-events events.$e"; done
  case_line events-$e-app app.txt app.txt.proof policy.one "--key-events events.$e --signer alice/signer.pub"
done

# How a key ends: revoked by a time, by a head, as planned, and by a revocation that was prepared.
endings='time head retired prepared'
for e in $endings; do
  signer --home end-$e init --name $e.example/end --operator E --auditor "$auditor" $key > end.txt
  quiet log --home one allow end-$e/genesis.cbor --fingerprint "$(fingerprint end.txt)"
done
journal_of=
quiet verifier identity -o drawer.key
for n in 1 2; do
  for e in $endings; do
    echo "$e $n" > end.$e.$n
    quiet signer --home end-$e sign end.$e.$n --operator E --version $n --purpose end $pass
    round end-$e one policy.one w1 w2 w3
  done
  if [ $n = 1 ]; then
    sleep 1
    bound=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    log --home one head > bound.head
    sleep 1
  fi
done
quiet signer --home end-time revoke --operator E --purpose x --since-time "$bound" $pass
quiet signer --home end-head revoke --operator E --purpose x --since-head bound.head $pass
quiet signer --home end-retired retire --operator E --purpose x $pass
quiet signer --home end-prepared revoke --operator E --purpose x --prepare prepared.age --to "$(sed -n 's/^# public key: //p' drawer.key)" $pass
for e in time head retired; do
  rm -f round.batch
  quiet signer --home end-$e export -o round.batch
  quiet log --home one append round.batch
done
quiet log --home one revoke prepared.age --identity drawer.key
rm -f r.request; quiet log --home one witness-request -o r.request
for w in w1 w2 w3; do quiet witness --home $w cosign r.request -o r.ends.$w; done
quiet log --home one add-cosignatures r.ends.* --policy policy.one
quiet verifier key-events --log one/public --policy policy.one -o events.ends
for e in $endings; do
  for n in 1 2; do case_line "end-$e-$n" end.$e.$n end.$e.$n.proof policy.one '--key-events events.ends'; done
done
case_line events-other both.txt both.txt.proof policy.one "--key-events events.ends --signer bob/signer.pub"
case_line events-handed-over new.txt new.txt.proof policy.one "--key-events events.ends --signer $(verifier check both.txt --policy policy.one --json | sed -n 's/.*"key":"\([0-9a-f]*\)".*/\1/p')"
case_line events-stranger app.txt app.txt.proof policy.one "--key-events events.ends --signer bob/signer.pub"

# A policy's history and trust roots.
log --home one head > last
for who in ada grace linus; do quiet verifier policy key --name $who.example/policy -o $who.key --unencrypted; done
root() { # name not-before expires
  quiet verifier policy renew policy.one --key ada.key.pub grace.key.pub linus.key.pub --threshold 2 --not-before "$2" --expires "$3" -o "draft.$1"
  quiet verifier policy sign "draft.$1" --policy policy.one --key ada.key -o "signed.$1" --yes
  quiet verifier policy sign "signed.$1" --policy policy.one --key grace.key -o "root.$1" --yes
}
root now 2026-01-01 2100-01-01
root past 2020-01-01 2021-01-01
root future 2090-01-01 2100-01-01
cp policy.one policies
quiet verifier policy adopt root.now --policy policies --last last --yes --fingerprint "$(verifier policy check root.now | sed -n 's/^Trust root version 1, \(.*\)\.$/\1/p')"
quiet verifier policy renew policies --to policy.all --expires 2110-01-01 -o draft.2
quiet verifier policy sign draft.2 --policy policies --key ada.key -o signed.2 --yes
quiet verifier policy sign signed.2 --policy policies --key linus.key -o root.2 --yes
cp policies renewed
quiet verifier policy adopt root.2 --policy renewed --last last --yes
{ echo coldlog-policies/1; echo 'until one.example/log 4'; cat policy.none; echo now; cat policy.all; } > history
for p in root.now root.past root.future policies renewed history draft.now signed.now; do
  case_line "app-$p" app.txt app.txt.proof $p
  case_line "many-$p" many.3 many.3.proof $p
done
case_line app-strict app.txt app.txt.proof root.past --strict-validity

journal_of=
# A log that changes its key: proofs from before, from the time of both keys, and from after.
signer --home dave init --name dave.example/d --operator Dave --auditor "$auditor" $key > dave.txt
quiet log --home three init --origin three.example/log --unencrypted
quiet log --home three allow dave/genesis.cbor --fingerprint "$(fingerprint dave.txt)"
{ cat three/log.policy; echo 'quorum none'; } > policy.three.old
for when in before between after; do
  [ $when = between ] && quiet log --home three rotate-key -o rotation
  [ $when = between ] && quiet verifier adopt-key rotation --policy policy.three.old -o policy.three
  [ $when = after ] && quiet log --home three rotate-key --finish
  echo "$when the rotation" > $when.txt
  quiet signer --home dave sign $when.txt --operator Dave --version 1 --purpose rotation $pass
  rm -f round.batch
  quiet signer --home dave export -o round.batch
  quiet log --home three append round.batch
  rm -f round.receipts
  quiet log --home three receipts round.batch -o round.receipts
  [ $when = before ] && cp policy.three.old policy.dave || cp policy.three policy.dave
  quiet signer --home dave import round.receipts --policy policy.dave
  rm -f round.batch
done
{ grep ^log policy.three | tac; echo 'quorum none'; } > policy.three.tac
for when in before between after; do
  for p in three three.old three.tac; do case_line log-key-$when-$p $when.txt $when.txt.proof policy.$p; done
done

# A rehearsal.
signer --home pat init --rehearsal --name pat --operator Pat --auditor "$auditor" $key > pat.txt
quiet log --home practice init --rehearsal --origin p.example --unencrypted
quiet log --home practice allow pat/genesis.cbor --fingerprint "$(fingerprint pat.txt)"
{ cat practice/log.policy; echo 'quorum none'; } > policy.practice
echo 'only practice' > practice.txt
quiet signer --home pat sign practice.txt --operator Pat --version 0 --purpose practice $pass
round pat practice policy.practice
case_line practice practice.txt practice.txt.proof policy.practice --rehearsal
case_line practice-real practice.txt practice.txt.proof policy.practice
case_line real-practice app.txt app.txt.proof policy.one --rehearsal
