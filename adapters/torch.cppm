export module autotunenet.torch;

export import autotunenet;
export import :optimizer_values;
export import :torch_tuner;
export import :training_slots;
export import :training_snapshot;
