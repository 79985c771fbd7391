export module autotunenet;

export import :anneal;
export import :bayesian;
export import :error;
export import :every;
export import :generator;
export import :guard;
export import :maximize;
export import :quasi_random;
export import :range_test;
export import :search_space;
export import :smoothing;
export import :spelling;
export import :stage;
export import :tpe;
export import :trial;
export import :watch;
