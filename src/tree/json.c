// SPDX-License-Identifier: LGPL-3.0-or-later
#include "tree/json.h"

static void add_string(struct text *text, const char *string)
{
	static const char digits[] = "0123456789abcdef";

	text_add(text, "\"");
	for (; *string; string++) {
		unsigned char c = (unsigned char)*string;
		char code[] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };
		char escaped[] = { '\\', *string };

		if (c < ' ')
			text_add_bytes(text, code, sizeof(code));
		else if (c == '"' || c == '\\')
			text_add_bytes(text, escaped, sizeof(escaped));
		else
			text_add_bytes(text, c <= '~' ? string : "?", 1);
	}
	text_add(text, "\"");
}

static void add_break(struct json *json)
{
	if (json->flat && json->depth >= json->flat) {
		if (json->begun)
			text_add(json->text, " ");
		return;
	}
	text_add(json->text, "\n");
	for (unsigned i = 0; i < json->depth; i++)
		text_add(json->text, "\t");
}

static void add_key(struct json *json, const char *key)
{
	if (json->begun)
		text_add(json->text, ",");
	if (json->depth)
		add_break(json);
	json->begun = true;
	if (!key)
		return;
	add_string(json->text, key);
	text_add(json->text, ": ");
}

void json_open(struct json *json, const char *key, char bracket)
{
	add_key(json, key);
	text_add_bytes(json->text, &bracket, 1);
	json->depth++;
	json->begun = false;
}

void json_close(struct json *json, char bracket)
{
	bool flat = json->flat && json->depth >= json->flat;

	json->depth--;
	if (json->begun && !flat)
		add_break(json);
	text_add(json->text, bracket == '{' ? "}" : "]");
	json->begun = true;
}

void json_string(struct json *json, const char *key, const char *string)
{
	if (!string) {
		json_raw(json, key, "null");
		return;
	}
	add_key(json, key);
	add_string(json->text, string);
}

void json_raw(struct json *json, const char *key, const char *raw)
{
	add_key(json, key);
	text_add(json->text, raw);
}
