/* The names on the worker's pipe, each once: message types, fields, kinds of job, columns of scores (README.md). */
#ifndef EVOKED_DAEMON_WORKER_PIPE_FIELDS_H
#define EVOKED_DAEMON_WORKER_PIPE_FIELDS_H

/* Message types, one for each enum frame_type. */
#define WORKER_TYPE_HELLO    "hello"
#define WORKER_TYPE_SETUP    "setup"
#define WORKER_TYPE_DATA     "data"
#define WORKER_TYPE_JOB	     "job"
#define WORKER_TYPE_PROGRESS "progress"
#define WORKER_TYPE_CANCEL   "cancel"
#define WORKER_TYPE_RESULT   "result"
#define WORKER_TYPE_ERROR    "error"

/* hello */
#define HELLO_PID	 "pid"
#define HELLO_VERSION	 "version"
#define HELLO_BUILD	 "build" /* SHA-256 of the program file: tells builds of one version apart */
#define HELLO_CPU_KERNEL "cpu_kernel"
#define HELLO_LIBRARIES	 "libraries" /* object: name -> version */

/* setup */
#define SETUP_SEED	   "seed" /* 16 hex digits, most significant first */
#define SETUP_WIDTH_PX	   "width_px"
#define SETUP_HEIGHT_PX	   "height_px"
#define SETUP_POOL	   "pool"
#define SETUP_RESIZE	   "resize"
#define SETUP_BACKBONE	   "backbone"
#define SETUP_BACKBONE_CUT "backbone_cut"
#define SETUP_MODEL_DIR	   "model_dir"
#define SETUP_SPEC	   "spec" /* session_spec_encode(): units, bins, target, response type, background */
#define SETUP_THREADS	   "threads"

/* A model lies in SETUP_MODEL_DIR under its hash and this. */
#define MODEL_FILE_SUFFIX ".safetensors"

/* data */
#define DATA_THROUGH_SEQ    "through_seq"
#define DATA_SEQ	    "seq"
#define DATA_RUN	    "run" /* store_row.run_index */
#define DATA_NUMBER	    "number"
#define DATA_SUBJECT_SEQ    "subject_seq"
#define DATA_PNG_SIZE	    "png_size"
#define DATA_RESPONSES_SIZE "responses_size"
#define DATA_MASK_SIZE	    "mask_size"
#define DATA_ROW	    "row"  /* enum store_row_kind */
#define DATA_ROLE	    "role" /* 0 none, 1 monitor, 2 sealed */
#define DATA_IMAGE	    "image"
#define DATA_BYTES	    "bytes" /* of each row its PNG, responses and mask */

/* job: what every specification has, and then by kind */
#define JOB_KIND	 "kind"
#define JOB_DECISION	 "decision"
#define JOB_SAW_SEQ	 "saw_seq"
#define JOB_SEED	 "seed"	      /* as SETUP_SEED */
#define JOB_STOP_AFTER	 "stop_after" /* optional: stop after so many units of work, as if cancelled there */
#define JOB_N_MONITOR	 "n_monitor"
#define JOB_N_SEALED	 "n_sealed"
#define JOB_RECIPE	 "recipe"  /* object: kind of image -> slots */
#define JOB_PENDING	 "pending" /* array of image hashes: slots given out or planned, not yet settled */
#define JOB_PARENT	 "parent"
#define JOB_SETTINGS	 "settings"
#define JOB_N_BOOTSTRAP	 "n_bootstrap"
#define JOB_N_UNITS	 "n_units" /* the session's units at saw_seq: all that ever were */
#define JOB_MODEL	 "model"
#define JOB_REQUEUE	 "requeue" /* array of {image, kind, requeued} */
#define JOB_SYNTHESIS	 "synthesis"
#define JOB_N_CANDIDATES "n_candidates"
#define JOB_EXCLUDE	 "exclude" /* array of unit ids that no image is chosen for */
#define JOB_SET		 "set"

#define JOB_KIND_PREPARE  "prepare"
#define JOB_KIND_DRAW	  "draw"
#define JOB_KIND_FIT	  "fit"
#define JOB_KIND_BATCH	  "batch"
#define JOB_KIND_EVALUATE "evaluate"

/* settings of a fit */
#define FIT_N_MEMBERS	    "n_members"
#define FIT_MIXING_CHANNELS "mixing_channels"
#define FIT_N_STEPS	    "n_steps"
#define FIT_BATCH_SIZE	    "batch_size"
#define FIT_LEARNING_RATE   "learning_rate"
#define FIT_WEIGHT_DECAY    "weight_decay"

/* settings of synthesis */
#define SYNTHESIS_N_STEPS	 "n_steps"
#define SYNTHESIS_STEP_SIZE	 "step_size"
#define SYNTHESIS_RMS_CONTRAST	 "rms_contrast"
#define SYNTHESIS_MEAN_LUMINANCE "mean_luminance"
#define SYNTHESIS_RESPONSE_CAP	 "response_cap"

/* progress */
#define PROGRESS_DONE	 "units_done"
#define PROGRESS_PLANNED "units_planned"
#define PROGRESS_WHAT	 "what"

/* result */
#define RESULT_OUTCOME	     "outcome"
#define RESULT_HASH	     "outcome_hash"
#define RESULT_UNITS_DONE    "units_done"
#define RESULT_UNITS_PLANNED "units_planned"
#define RESULT_IMAGES	     "images" /* array of the fields IMAGE_*; their PNG one after another in the array `png` */
#define RESULT_SLOTS	     "slots"  /* array of the fields SLOT_* */
#define RESULT_PNG	     "png"
#define RESULT_SCORES	     "scores" /* f64 [tiers, 1 + n_units, SCORE_COLUMNS]; the first row is over all units */

#define IMAGE_HASH	 "image"
#define IMAGE_KIND	 "kind"
#define IMAGE_ROLE	 "role" /* "", monitor, sealed */
#define IMAGE_OFFSET	 "offset"
#define IMAGE_SIZE	 "size"
#define IMAGE_PROVENANCE "provenance"

#define SLOT_IMAGE    "image"
#define SLOT_KIND     "kind"
#define SLOT_REPEAT   "repeat"
#define SLOT_REQUEUED "requeued"

/* outcome: setup and prepare */
#define OUTCOME_POOL	   "pool" /* manifest hash */
#define OUTCOME_N_IMAGES   "n_images"
#define OUTCOME_N_SKIPPED  "n_skipped"
#define OUTCOME_SKIPPED	   "skipped"  /* array of sentences */
#define OUTCOME_BACKBONE   "backbone" /* hash */
#define OUTCOME_N_FEATURES "n_features"
#define OUTCOME_N_MONITOR  "n_monitor"
#define OUTCOME_N_SEALED   "n_sealed"
/* draw and batch */
#define OUTCOME_N_SLOTS "n_slots"
#define OUTCOME_N_NEW	"n_new"
#define OUTCOME_REPLACED                                                                                               \
	"replaced" /* object: kind -> slots of it that became natural (cancelled, nothing to choose)                   \
		    */
/* fit and evaluate */
#define OUTCOME_MODEL		"model"
#define OUTCOME_MODEL_BYTES	"model_bytes"
#define OUTCOME_BEST		"best"	   /* the tier that is shown and used */
#define OUTCOME_TIERS		"tiers"	   /* names, in the order of `scores` */
#define OUTCOME_UNIT_IDS	"unit_ids" /* in the order of the rows 1.. of `scores` */
#define OUTCOME_SET		"set"
#define OUTCOME_R2		"r2" /* object: tier -> median over units, or null */
#define OUTCOME_N_PRESENTATIONS "n_presentations"

/* roles of images; "" without one */
#define ROLE_MONITOR "monitor"
#define ROLE_SEALED  "sealed"

#define TIER_RIDGE    "ridge"
#define TIER_ENSEMBLE "ensemble"

/* error */
#define ERROR_CODE "code" /* the name of an errno: invalid, memory, io, state */
#define ERROR_TEXT "text"

enum score_column {
	SCORE_R2,
	SCORE_R2_LOW,
	SCORE_R2_HIGH,
	SCORE_R_MEAN,
	SCORE_R_SINGLE,
	SCORE_CEILING,
	SCORE_SNR,
	SCORE_N_IMAGES,
	SCORE_N_PRESENTATIONS,
};
enum { SCORE_COLUMNS = SCORE_N_PRESENTATIONS + 1 };

#endif
