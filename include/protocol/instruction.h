/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The instruction table: what each instruction of the BMS is called, means, returns and accepts.
 * It is a data file (data/instructions.ini, built into the program) that users' own files may
 * extend or override row by row; docs/bmsfs-instructions.5 is its grammar. Everything else in
 * this program that knows an instruction knows it from here.
 */
#ifndef BMSFS_PROTOCOL_INSTRUCTION_H
#define BMSFS_PROTOCOL_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSTRUCTION_MAX       192 /* rows of a table */
#define INSTRUCTION_FIELD_MAX 16
#define VALUE_DEFAULT_MAX     16
#define MODEL_MAX             8
#define MODEL_UNKNOWN         (-1)
#define ORDER_MAX             16 /* ordering rules of a table */
#define ORDER_MEMBER_MAX      8
#define SENSORS_MAX           8 /* of a unit, where that is stated */
#define INSTRUCTION_VARIANTS  (MODEL_MAX + 1)

enum value_type {
	VALUE_FLOAT, /* float32 */
	VALUE_INT,   /* int64; also codes, flags and uint32 words */
	VALUE_TEXT,
	VALUE_CLOCK, /* the text hh:mm:ss, compared in seconds */
};

/* How long a sample answers: ttl, ttl_settings, or until the identity is forgotten. */
enum instruction_class { CLASS_LIVE, CLASS_SETTING, CLASS_IDENTITY };

/* What a reply starts with: nothing, a frame that states the bytes that follow, or the units. */
enum reply_header { HEADER_NONE, HEADER_BYTES, HEADER_UNITS };

/* How the reading back of a written value is judged. */
enum verify_method {
	VERIFY_SAME,  /* equal, or equal in digits that tell it from its neighbours */
	VERIFY_EXACT, /* texts and integers: equal */
	VERIFY_NEAR,  /* a value that lives on: within verify_near */
	VERIFY_NONE,  /* cannot be read back */
};

enum field_type { FIELD_F32, FIELD_U8, FIELD_U16BE };

/* One number of a binary data frame. */
struct field {
	char name[32];
	char unit[12];
	enum field_type type;
};

/* What differs between models of BMS. */
struct instruction_variant {
	bool present;
	bool has_min, has_max, has_default;
	bool one_frame; /* one data frame whatever the header says; else one per unit */
	bool trim;      /* trailing numbers outside min..max, or not finite, are no sensors; of an
			   array, min and max are for this alone */
	bool limited;   /* of each unit the first @limit numbers are shown */
	uint8_t limit;
	double min, max;
	char def[VALUE_DEFAULT_MAX];
};

struct instruction {
	char mnemonic[8]; /* on the wire: "*IDN" */
	char file[8];     /* in the tree: "IDN" */
	char name[48];    /* "cell over-voltage switch-off" */
	char description[512];
	char category[16];
	char unit[12];    /* as on the wire: "V", "degC"; empty where there is none */
	char pattern[64]; /* of fnmatch(3), what a VALUE_TEXT that is written must look like */
	enum value_type type;
	enum instruction_class class;
	enum reply_header header;
	enum verify_method verify;
	double verify_near;
	double step;    /* between two values that VERIFY_SAME must tell apart; 0: by the text */
	bool array;     /* binary data frames behind a header; else one frame of ASCII */
	bool padded;    /* a data frame may hold more numbers than there are sensors */
	bool blank;     /* an empty text is an answer: there is no value now */
	bool writable;  /* may be set */
	bool locked;    /* ... only with -o unlock */
	bool consuming; /* reading takes something away from the BMS */
	uint8_t fields; /* 0: as many numbers of field[0].type as the frame holds */
	struct field field[INSTRUCTION_FIELD_MAX];
	struct instruction_variant
		variant[INSTRUCTION_VARIANTS]; /* [0]: model unknown; [1 + model] */
};

struct model {
	char name[16];        /* "1q" */
	char description[64]; /* "REC 1Q" */
	char identity[64]; /* pattern of fnmatch(3) for the text of *IDN?, case folded; may be empty
			    */
	uint8_t address;   /* factory address */
	bool has_sensors;
	uint8_t sensors; /* of each unit, where its replies do not prove how many are fitted */
};

/* member[0] < or <= member[1] < or <= member[2] ... */
struct order {
	char name[32];
	unsigned members;
	struct {
		uint16_t row;
		bool or_equal; /* to the next member */
	} member[ORDER_MEMBER_MAX];
};

struct instruction_table {
	size_t rows, models, orders;
	struct instruction *row; /* INSTRUCTION_MAX of them, allocated */
	struct model model[MODEL_MAX];
	struct order order[ORDER_MAX];
	bool has_sensors;
	uint8_t sensors; /* of each unit, whatever the model says */
};

struct table_error {
	char text[256]; /* "FILE:LINE: reason" */
};

/* The table that is built in, as text. */
extern const char instruction_builtin[];
extern const size_t instruction_builtin_size;

/*
 * Starts a table with the built-in text. Returns 0; -EINVAL with the reason in @error (a fault of
 * the build); -ENOMEM.
 */
int instruction_table_init(struct instruction_table *table, struct table_error *error);
void instruction_table_free(struct instruction_table *table);

/*
 * Adds the rows of @text, read from @file (a name for messages), to the table; a section that
 * exists already has the keys given here replaced. Returns 0, or -EINVAL with file, line and reason
 * in
 * @error; the table is then good for nothing but instruction_table_free().
 */
int instruction_table_add(struct instruction_table *table, const char *file, const char *text,
			  size_t size, struct table_error *error);

/*
 * States how many sensors each unit has, 0 to SENSORS_MAX, in place of what the models say. What
 * follows them in a padded reply is not shown.
 */
void instruction_table_set_sensors(struct instruction_table *table, uint8_t sensors);

/* The row of a mnemonic ("*IDN") or a file name ("IDN"), or -1. */
int instruction_find(const struct instruction_table *table, const char *name);

/* The model of that name, or MODEL_UNKNOWN; the one whose pattern fits an identity, or
 * MODEL_UNKNOWN. */
int model_find(const struct instruction_table *table, const char *name);
int model_named(const struct instruction_table *table, const char *name); /* in any case */
int model_identify(const struct instruction_table *table, const char *identity);

/* What holds for a row on @model, MODEL_UNKNOWN included. */
static inline const struct instruction_variant *instruction_variant(const struct instruction *row,
								    int model)
{
	return &row->variant[1 + model];
}

/* The words of the data file, in the order of their enums, each list ended by NULL. */
extern const char *const value_type_names[];
extern const char *const instruction_class_names[];
extern const char *const reply_header_names[];
extern const char *const verify_method_names[];
extern const char *const field_type_names[];

/*
 * The payload of a query ("CELL?") or of a set ("CMAX 3.6"). Returns its length; 0 if @value does
 * not fit whole, because half a number must never be sent.
 */
size_t instruction_query(const struct instruction *row, char payload[16]);
size_t instruction_set(const struct instruction *row, const char *value, char payload[64]);

#endif
