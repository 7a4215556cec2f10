#!/bin/sh
# Asks a question, resumes the reply, and reads the conversation that the server has stored.
set -eu
url=${FOREWORD_URL:-http://127.0.0.1:8000}
question=${1:-Hello}
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

echo "# The plan, the boundary and the answer, as they come:"
curl -sS --fail -N -D "$headers" "$url/stream-chat" -H 'content-type: application/json' \
  -d "{\"messages\":[{\"sender\":\"user\",\"text\":\"$question\"}]}"
header() { sed -n "s/^$1: *//Ip" "$headers" | tr -d '\r'; }
turn=$(header x-turn-id)
conversation=$(header x-conversation-id)

echo
echo "# The same reply again, from its tenth byte on, as any client can resume it:"
curl -sS --fail -N "$url/turns/$turn/stream?after=10"

echo
echo "# How the turn ended:"
curl -sS --fail "$url/turns/$turn"

echo
echo "# The conversation:"
curl -sS --fail "$url/conversations/$conversation/messages"
echo
