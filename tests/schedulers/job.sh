#!/bin/sh
# The job of one task, as every scheduler here starts it. The folder of the first argument says what the job is told, and
# gets a folder for each start of the job, with its exit code and its result.
desk=$1
number=0
until mkdir "$desk/start.$number" 2>/dev/null; do number=$((number + 1)); done
here=$desk/start.$number
set -a
. "$desk/every.env"
if [ -f "$desk/start.$number.env" ]; then . "$desk/start.$number.env"; fi
KILN_TEST_MARK=$here
KILN_RESULT_FILE=$here/result.json
"$KILN_TEST_JOB" --input "$KILN_TEST_INPUT" --output "$desk/out/rows"
code=$?
echo "$code" > "$here/code.part" && mv "$here/code.part" "$here/code"
exit "$code"
